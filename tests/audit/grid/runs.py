"""Invented runs of the grid: the configuration of a planned run with other operations, figures out of the air."""

import copy
import random
from functools import cache
from types import SimpleNamespace

from report import invented

from audit.grid.choice import USUAL_RATE, ranked, rate, to_measure
from audit.grid.places import BEST_OF_PAPER, DISTINCT, PAPER, PRESETS, RANDOM, Grid, Protocol
from multistage.settings import naming

LEVEL = {
    "abs": 12,
    "square": 9,
    "relu": 8,
    "gelu": 7,
    "leaky_relu": 8,
    "lcn": 10,
    "lcn_within": 9,
    "average": 1,
    "l2": 2,
}
"""Points beyond 25 %."""


@cache
def _planned(filters, refine):
    return invented.record(
        data="caltech101", filters=filters, refine=refine, readout="softmax" if refine == "true" else "lbfgs"
    )


def expected(place):
    """Accuracy in %, without noise."""
    level = 25 + sum(LEVEL.get(name, 0) for name in place)
    return level + 6 * (place.rectify == "none" and place.pool in ("l2", "max", "max_overlap"))


def record(place, protocol=RANDOM, draw=0, noise=0.8):
    """One run."""
    made = copy.deepcopy(_planned(protocol.filters, str(protocol.refine).lower()))
    unusual = {"optimizer.lr": rate(place)} if protocol.refine and rate(place) != USUAL_RATE else {}
    typed = unusual | place.typed
    made["config"] |= {"contrast_norm.across_maps": True, **typed}
    if protocol != RANDOM and place in PRESETS:
        made["config"]["model"], typed = PRESETS[place], unusual
    made["config"] |= {"draw": draw, "seed": draw, "stages": protocol.stages, "name": "grid"}
    value = expected(place) + random.Random(f"{place} {protocol} {draw}").gauss(0, noise)
    value += 2 * (protocol.stages - 2) + 5 * protocol.refine + 3 * (protocol.filters == "psd") + 0.5 * draw
    made["metrics"]["test_mean_class_accuracy"] = value / 100
    usual = BEST_OF_PAPER.typed
    further = [key for key, value in typed.items() if value != usual.get(key)]
    parts = [f"{key.split('.')[-1]}-{str(typed[key]).lower()}" for key in further]
    made["run"] = "-".join([naming.cell(made["config"]), *parts])
    keys = [*("data", "model", "filters", "refine", "readout", "draw", "seed", "stages"), *further]
    made["overrides"] = [f"{key}={str(made['config'][key]).lower()}" for key in keys]
    made["split_hash"] = f"draw {draw}"
    return made


def first(places=DISTINCT):
    """The first part."""
    return [record(place) for place in places]


def best(number):
    """The highest expected places."""
    return sorted(DISTINCT, key=lambda place: (-expected(place), place))[:number]


def every():
    """All parts, and what results/table1 has of the paper's five, by folder."""
    chosen = dict.fromkeys((*PAPER, *best(12)))
    places = to_measure(ranked(Grid(published(None, grid=first()))))
    found = {"grid": first() + [record(place, draw=draw) for place in places - set(PAPER) for draw in range(1, 5)]}
    found["grid_stages"] = [record(place, Protocol(stages), draw=1) for place in chosen for stages in (1, 3)]
    found["grid_psd"] = [record(place, Protocol(stages, "psd"), draw=1) for place in chosen for stages in (2, 3)]
    found["grid_refined"] = [record(place, Protocol(2, "random", True), draw=1) for place in chosen]
    return found | {"table1": table1()}


def table1():
    """Two stages of random frozen filters, the paper's five."""
    return [record(place, draw=draw) for place in PAPER for draw in range(1, 5)]


def published(root, **folders):
    """What is published, as far as the grid reads it."""
    return SimpleNamespace(root=root, records=lambda name: folders.get(name, []))
