"""The first part of experiment=grid: it holds every cell once, each can be run, and no two are the same."""

from collections import Counter
from itertools import product

import torch
from torch.nn.utils.rnn import pad_sequence

from audit.grid.places import LEVELS, WITHIN
from multistage.settings import composition, experiments
from multistage.train.restore import make_network

SMALL = ["data.image_size=99", "geometry.stage1.maps=8", "geometry.stage2.maps=16", "geometry.stage2.fan_in=4"]
EQUAL = [("abs", normalise, "l2") for normalise in ("none", "lrn", "rmsnorm")]
"""The same as without abs, whose signs they do not see and L2 pooling squares away."""


def place(run):
    rectify, normalise, pool = (run.config[f"model.{slot}"] for slot in ("rectify", "normalise", "pool"))
    within = not run.config.get("contrast_norm.across_maps", True) and normalise == "lcn"
    return rectify, WITHIN if within else normalise, pool


def cells(*typed):
    planned, _, _ = composition.plan_all(experiments.experiment("grid_random", typed))
    return {place(run): run for run in planned}, planned


def features(run, images):
    """Of a network with small maps; batch normalisation by the statistics of these images; of unit length."""
    with torch.no_grad():
        found = make_network(run.settings, 2).train().features(images).double().flatten()
    return found / found.norm()


def test_every_cell_is_there_once_but_for_those_that_equal_another():
    found, planned = cells()
    every = set(product(*LEVELS))
    assert set(found) == every - set(EQUAL)
    assert Counter(map(place, planned)).most_common(1)[0][1] == 1
    common = ("stages", "filters", "refine", "readout", "draw", "seed", "name", "data")
    assert {tuple(run.config[key] for key in common) for run in planned} == {
        (2, "random", False, "lbfgs", 0, 0, "grid", "caltech101")
    }


def test_the_experiment_begins_with_this_part():
    first, _, _ = composition.plan_all(experiments.experiment("grid_random", []))
    whole, _, _ = composition.plan_all(experiments.experiment("grid", []))
    assert [run.folder for run in whole][: len(first)] == [run.folder for run in first]


def test_no_cell_fails_and_all_differ_but_those_that_are_left_out():
    """These equal the cell without rectification."""
    images = torch.randn(2, 1, 99, 99, generator=torch.Generator().manual_seed(0))
    runs, _ = cells(*SMALL)
    left_out = {key: composition.plan([*runs["abs", key[1], "max"].overrides, f"model.pool={key[2]}"]) for key in EQUAL}
    found = {key: features(run, images) for key, run in {**runs, **left_out}.items()}
    assert [key for key, each in found.items() if not each.isfinite().all()] == []
    for _, normalise, pool in EQUAL:
        torch.testing.assert_close(found["abs", normalise, pool], found["none", normalise, pool], rtol=1e-5, atol=1e-7)
    names = list(runs)
    every = pad_sequence([found[key] for key in names], batch_first=True)  # pools give other numbers of them
    apart = torch.cdist(every, every) + torch.eye(len(names))
    assert [(names[i], names[j]) for i, j in (apart < 1e-3).nonzero().tolist() if i < j] == []
