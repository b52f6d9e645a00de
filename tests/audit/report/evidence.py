"""Invented runs and measurements that make the tests of a claim come out as wanted. Never published.

What a claim asks of accuracies, and of epochs to a loss, is linear in them: a linear program finds some that fit.
"""

import math
import random

import numpy as np
from scipy.optimize import linprog

from audit.claims import verdicts
from audit.claims.quantities import Epochs, Kept, Less, Over, of_paper
from audit.tables import addresses
from multistage.records import paper
from multistage.records.cells import Cell
from multistage.records.intervals import Measured

PUBLISHED = paper.published()
SLACK, SOONER = 1.0, 0.3
"""How far beyond its bound an accuracy lies, in points, and a number of epochs."""


def made(claim, wanted, draws=5):
    """Evidence on which every test of a claim comes out as wanted: supported, contradicted or undecided."""
    return verdicts.Evidence(_cells(claim, wanted, draws), {claim.id: _measured(claim, wanted)}, PUBLISHED)


def _bounds(test, bound, wanted, slack):
    """The least and the greatest that a quantity may be for its test to come out as wanted."""
    around = test.around
    edge = around + bound if test.relation == "within" else bound
    if wanted == "undecided":
        return edge, edge
    if test.relation == "within":
        half = bound / 2
        return (around - half, around + half) if wanted == "supported" else (-math.inf, around - bound - slack)
    upwards = (test.relation == "above") == (wanted == "supported")
    return (bound + slack, math.inf) if upwards else (-math.inf, bound - slack)


def _asked(result, wanted, asked):
    """What cells are asked for by a test: a quantity, and the least and the greatest that it may be.

    A mean over differences asks for each of them: alike, or around the bound unless it is asked for by itself.
    """
    quantity = result.test.quantity
    slack = SOONER if isinstance(quantity, Epochs) else SLACK
    low, high = _bounds(result.test, result.bound, wanted, slack)
    if not isinstance(quantity, Over):
        return [(quantity, (low, high))] if _terms(quantity) else []
    target, off = low if math.isfinite(low) else high, 0.5 if wanted == "undecided" else 0
    exact = [target if part in asked else target + off * (-1) ** i for i, part in enumerate(quantity.parts)]
    return [(part, (value, value)) for part, value in zip(quantity.parts, exact, strict=True)]


def _terms(quantity, sign=1, loss=None):
    """The cells of a quantity, each with what is asked of it and its sign: the loss that it must get to, the corruption
    under which it keeps a share (None: its accuracy)."""
    if isinstance(quantity, Less | Epochs):
        loss = getattr(quantity, "loss", None)
        return _terms(quantity.one, sign, loss) + _terms(quantity.other, -sign, loss)
    if isinstance(quantity, Kept):
        return [(quantity.corruption, quantity.cell, sign)]
    return [(loss, quantity, sign)] if isinstance(quantity, addresses.Wanted) else []


def _cells(claim, wanted, draws):
    """Cells of `draws` runs; accuracies and epochs differ a little from draw to draw, and from cell to cell."""
    rows, limits, names = [], [], {}
    for result in verdicts.judge(claim, verdicts.Evidence({}, {}, PUBLISHED)).results:
        for part, (low, high) in _asked(result, wanted, {test.quantity for test in claim.tests}):
            terms, constant, row = _terms(part), 0.0, {}
            if len(terms) == 1:  # less the paper's figure
                constant = of_paper(terms[0][1], PUBLISHED)
            for loss, cell, sign in terms:
                place = names.setdefault((loss, cell), len(names))
                row[place] = row.get(place, 0) + sign
            rows += [row] * (high < math.inf) + [{at: -value for at, value in row.items()}] * (low > -math.inf)
            limits += [high + constant] * (high < math.inf) + [-low - constant] * (low > -math.inf)
    if not names:
        return {}
    matrix = np.array([[row.get(place, 0) for place in range(len(names))] for row in rows])
    ranges = [(1.5, 6) if _is_loss(what) else (2, 99.9) for what, _ in names]
    solved = linprog(np.zeros(len(names)), matrix, limits, bounds=ranges)
    assert solved.success, f"nothing makes all tests of {claim.id} {wanted}"
    values = dict(zip(names, solved.x, strict=True))
    return {cell: _cell(cell, values, draws) for _, cell in names}


def _is_loss(what):
    return isinstance(what, float)


def _cell(wanted, values, draws):
    settings = (*wanted.settings, *wanted.further)
    spread = 0.01 * random.Random(str(wanted)).uniform(1, 2)
    loss, epochs = next(
        ((loss, at) for (loss, other), at in values.items() if _is_loss(loss) and other == wanted), (None, None)
    )
    kept = {name: at for (name, other), at in values.items() if isinstance(name, str) and other == wanted}
    records = []
    for draw in range(draws):
        off = spread * (draw - (draws - 1) / 2)
        accuracy = values.get((None, wanted), 50) + off
        record = {
            "config": {**dict(settings), "draw": draw, "seed": draw},
            "metrics": {"test_mean_class_accuracy": accuracy / 100},
            "split_hash": f"draw {draw}",
            "corruptions": {name: [accuracy / 100 * (at + off) / 100] * 5 for name, at in kept.items()},
        }
        if loss is not None:
            course = [loss * math.exp(epochs + off - epoch) for epoch in range(1, 11)]
            record["history"] = {"epoch": list(range(1, 11)), "train_loss": course}
        records.append(record)
    return Cell(settings, tuple(records), wanted.paper(PUBLISHED), "made up")


def _measured(claim, wanted):
    """Numbers of the lecture's page; the first of a pair is chosen to fit the second, or the other way round."""
    values = {}
    for test in sorted((test for test in claim.tests if test.numbers), key=lambda test: len(test.numbers)):
        low, high = _bounds(test, test.bound, wanted, 1 + abs(test.bound))
        target = (low + high) / 2 if math.isfinite(low + high) else low if math.isfinite(low) else high
        first, *second = test.numbers
        if not second:
            values.setdefault(first, target)
        elif first in values:
            values.setdefault(second[0], values[first] - target)
        else:
            values[first] = values.setdefault(second[0], 0.0) + target
    exact = {name for test in claim.tests if test.alone is not None for name in test.numbers}
    half = 1e-3 if wanted == "undecided" else 1e-12
    return {
        name: Measured(
            at, "made up", "", None if name in exact and wanted != "undecided" else (at - half, at + half), 5
        )
        for name, at in values.items()
    }
