"""Combinations of options: few, among which every value of one option meets every value of each other."""

import itertools
import random

import torch
from layers.cases import drawn

FACTORS = {
    "border": ["zero", "renormalise", "reflect", "replicate", "torch7"],
    "window": [
        {"kernel_size": 5, "sigma": 0.8},
        {"kernel_size": 5, "window": "box"},
        {"window": (0.2, 2, 0, 1, 0.5)},
        {"kernel_size": 15},
    ],
    "floor": ["mean", 0.0, 0.6],
    "floor_mode": ["max", "add"],
    "floor_gradient": [True, False],
    "deviation_of": ["residual", "window"],
    "steps": [{}, {"divide": False}, {"subtract": False}],
    "groups": [{}, {"across_maps": False}, {"groups": 1}, {"groups": 2}, {"groups": 4}],
    "return_statistics": [True, False],
    "mask": [None, "shared", "of each"],
    "layout": ["contiguous", "channels last", "unbatched"],
}


def covering(strength, seed=0):
    """Choices, option to value, in which any values of any `strength` options occur together."""
    names, draw = list(FACTORS), random.Random(seed)
    missing = {
        (some, values)
        for some in itertools.combinations(range(len(names)), strength)
        for values in itertools.product(*(range(len(FACTORS[names[i]])) for i in some))
    }

    def found_in(row):
        return {(some, tuple(row[i] for i in some)) for some in itertools.combinations(range(len(names)), strength)}

    while missing:
        some, values = min(missing)
        rows = []
        for _ in range(20):
            row = [draw.randrange(len(FACTORS[name])) for name in names]
            for i, value in zip(some, values, strict=True):
                row[i] = value
            rows.append(row)
        best = max(rows, key=lambda row: len(found_in(row) & missing))
        missing -= found_in(best)
        yield {name: FACTORS[name][i] for name, i in zip(names, best, strict=True)}


def arguments(choice):
    """The keywords of a choice, and what is done with x and the mask."""
    choice = dict(choice)
    mask, layout = choice.pop("mask"), choice.pop("layout")
    for name in ("window", "steps", "groups"):
        choice |= choice.pop(name)
    return choice, mask, layout


def name(choice):
    return "-".join(str(value).replace(" ", "") for value in choice.values())


X = drawn(2, 4, 6, 7) * torch.tensor([1.0, 4]).view(2, 1, 1, 1)


def inputs(choice, dtype=torch.float64):
    """x, mask and keywords."""
    options, of_mask, layout = arguments(choice)
    x = X.to(dtype)
    mask = None
    if of_mask:
        mask = torch.rand(2, 1, 6, 7, generator=torch.Generator().manual_seed(3)) > 0.3
        mask = mask[:1] if of_mask == "shared" else mask.to(dtype)
        x = torch.where(mask != 0, x, torch.tensor([torch.nan, torch.inf, 1e30, 5]).repeat(11)[:42].view(6, 7))
    if layout == "channels last":
        x = x.to(memory_format=torch.channels_last)
    if layout == "unbatched":
        x, mask = x[0], None if mask is None else mask[0]
    return x.to(dtype), mask, options
