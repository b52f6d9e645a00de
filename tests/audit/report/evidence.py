"""Invented runs and measurements that make the tests of a claim come out as wanted. Never published.

What a claim asks of accuracies, and of epochs to a loss, is linear in them: a linear program finds some that fit.
"""

import math
import random
from dataclasses import replace
from functools import cache

import numpy as np
from report import invented
from scipy.optimize import linprog

from audit.claims import verdicts
from audit.tables import layout
from multistage.records import cells, paper
from multistage.records.intervals import Measured
from multistage.settings import composition, naming

PUBLISHED = paper.published(composition.CONF.parent / "results" / "paper.yaml")
SLACK, SOONER = 1.0, 0.3
"""How far beyond its bound an accuracy lies, in points, and a number of epochs."""


@cache
def planned(folder):
    """Every cell that an experiment will publish, by address, each with one run."""
    with composition.hydra():
        runs = [composition.plan(job) for job in composition.experiment(folder, ["draw=0"])]
    tables = layout.tables(cells.cells([_record(run) for run in runs], PUBLISHED), PUBLISHED)
    return {(folder, *place): cell for table in tables for place, cell in table.cells.items()}


def made(claim, wanted, draws=5):
    """Evidence on which every test of a claim comes out as wanted: supported, contradicted or undecided."""
    runs = [test for test in claim.tests if test.effect]
    return verdicts.Evidence(_cells(claim, runs, wanted, draws), {claim.id: _measured(claim, wanted)}, PUBLISHED)


def _record(run):
    name = naming.name(run.config, run.folder)
    fields = {"run": name, "config": run.config, "overrides": run.overrides, "data_hash": run.config["data"]}
    return invented.record() | fields


def _bounds(test, bound, wanted, slack):
    """The least and the greatest that a quantity may be for its test to come out as wanted."""
    edge = test.of + bound if test.relation == "within" else bound
    if wanted == "undecided":
        return edge, edge
    if test.relation == "within":
        half = bound / 2
        return (test.of - half, test.of + half) if wanted == "supported" else (-math.inf, test.of - bound - slack)
    upwards = (test.relation == "above") == (wanted == "supported")
    return (bound + slack, math.inf) if upwards else (-math.inf, bound - slack)


def _cells(claim, tests, wanted, draws):
    """Cells of `draws` runs; accuracies and epochs differ a little from draw to draw, and from cell to cell."""
    names = sorted({(test.to_loss, address) for test in tests for address in test.addresses}, key=str)
    bounds = {
        result.test: result.bound for result in verdicts.judge(claim, verdicts.Evidence({}, {}, PUBLISHED)).results
    }
    rows, limits = [], []
    for test in tests:
        row, constant = np.zeros(len(names)), 0.0
        for effect, sign in ((test.effect, 1), (test.beyond, -1)):
            for address, side in zip(effect.addresses if effect else [], (1, -1), strict=False):
                row[names.index((test.to_loss, address))] += sign * side
            if effect and effect.less_paper:
                constant = planned(effect.cell[0])[effect.cell].paper["value"]
        low, high = _bounds(test, bounds[test], wanted, SLACK if test.to_loss is None else SOONER)
        rows += [row] * (high < math.inf) + [-row] * (low > -math.inf)
        limits += [high + constant] * (high < math.inf) + [-low - constant] * (low > -math.inf)
    ranges = [(2, 99.9) if loss is None else (1.5, 6) for loss, _ in names]
    solved = linprog(np.zeros(len(names)), np.array(rows), limits, bounds=ranges) if names else None
    assert solved is None or solved.success, f"nothing makes all tests of {claim.id} {wanted}"
    values = dict(zip(names, solved.x, strict=True)) if solved else {}
    return {address: _cell(address, values, draws) for _, address in names}


def _cell(address, values, draws):
    cell = planned(address[0])[address]
    spread = 0.01 * random.Random(str(address)).uniform(1, 2)
    loss, epochs = next(((loss, at) for (loss, other), at in values.items() if loss and other == address), (None, None))
    records = []
    for draw in range(draws):
        off = spread * (draw - (draws - 1) / 2)
        accuracy = values.get((None, address), 50) + off
        record = cell.records[0] | {"split_hash": f"draw {draw}"}
        record["config"] = record["config"] | {"draw": draw, "seed": draw}
        record["metrics"] = record["metrics"] | {"test_mean_class_accuracy": accuracy / 100}
        if loss is not None:
            course = [loss * math.exp(epochs + off - epoch) for epoch in range(1, 11)]
            record["history"] = {"epoch": list(range(1, 11)), "train_loss": course}
        records.append(record)
    return replace(cell, records=tuple(records))


def _measured(claim, wanted):
    """Numbers of the lecture's page; the first of a pair is chosen to fit the second, or the other way round."""
    values = {}
    for test in sorted((test for test in claim.tests if test.measured), key=lambda test: len(test.measured)):
        low, high = _bounds(test, test.bound, wanted, 1 + abs(test.bound))
        target = (low + high) / 2 if math.isfinite(low + high) else low if math.isfinite(low) else high
        first, *second = test.measured
        if not second:
            values.setdefault(first, target)
        elif first in values:
            values.setdefault(second[0], values[first] - target)
        else:
            values[first] = values.setdefault(second[0], 0.0) + target
    exact = {name for test in claim.tests if test.alone is not None for name in test.measured}
    half = 1e-3 if wanted == "undecided" else 1e-12
    return {
        name: Measured(
            at, "made up", "", None if name in exact and wanted != "undecided" else (at - half, at + half), 5
        )
        for name, at in values.items()
    }
