"""Differences from the paper: cells that miss its figure, with explanations, and columns in a different order.

A follow-up experiment is another cell, run to test one explanation of a miss. It counts if it moves the cell towards
the paper's figure beyond chance: by more than half the interval of their difference over the runs that both have. For
a single run that is three points, for two runs three over the root of two. The rest is the miss of all runs minus this
movement. A miss is accounted for if a rest is within three points of the paper, and accounted for in part if all rests
are larger. If a follow-up goes more than three points beyond the paper's figure, the paper is between the two.
"""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Literal

from audit.claims.verdicts import deciding
from audit.tables.layout import Placed
from audit.tables.tables import plus_minus, rows, signed
from multistage.records.cells import CLOSE, Cell, paired

Rests = Mapping[Cell, Mapping[str, float | None]]
"""Follow-up experiments of each cell: description, and the rest of the miss in points, as from `rest`."""

Judgement = Literal["accounted for", "in part", "the paper is between", "open"]

OTHERS: dict[Judgement, str] = {
    "the paper is between": "The paper is between a follow-up experiment and the cell",
    "in part": "In part",
    "open": "No tested explanation yet",
}

ORDERED = 2.0
"""Points; only columns of a row that differ by more in the paper are compared."""

NONE = "None so far."


def rest(one: Cell, other: Cell) -> float | None:
    """Compute the signed rest of a cell's miss in points, after subtracting the effect of the other cell.

    None if the other does not move it towards the paper's figure beyond chance, or the paper has no figure.
    """
    if one.difference is None:
        return None
    moved = paired(one, other)
    low, high = deciding(moved.value, moved.interval, moved.n, CLOSE)
    towards = moved.value * one.difference > 0 and not low <= 0 <= high
    return one.difference - moved.value if towards else None


def judge(miss: float, rests: Mapping[str, float | None]) -> Judgement:
    """Classify a miss by its follow-up experiments.

    Args:
        miss: In points.
        rests: Rest of the miss after each follow-up experiment, as from `rest`.
    """
    left = [each for each in rests.values() if each is not None]
    if not left:
        return "open"
    if min(map(abs, left)) <= CLOSE:
        return "accounted for"
    return "the paper is between" if any(each * miss < 0 for each in left) else "in part"


def missed(places: Iterable[Placed], tried: Rests) -> str:
    """Markdown: cells more than three points off the paper with follow-up experiments, and how many are explained."""
    lines: list[list[object]] = []
    judged: dict[Judgement, list[Placed]] = {}
    for placed in places:
        cell, rests = placed.cell, tried.get(placed.cell, {})
        if cell.paper is None or cell.difference is None or cell.is_close:
            continue
        judgement = judge(cell.difference, rests)
        judged.setdefault(judgement, []).append(placed)
        figures = [plus_minus(cell), cell.paper["value"], signed(cell.difference), cell.n]
        lines.append([placed.row, placed.column, *figures, _tried(rests), judgement])
    if not lines:
        return NONE
    heads = ["row", "column", "here", "paper", "miss", "n", "follow-up experiments (rest of the miss)", "judged"]
    return f"{rows(heads, lines)}\n\n{_summary(judged)}"


def _tried(rests: Mapping[str, float | None]) -> str:
    """Sort follow-up experiments: smallest rest first, those without effect last."""
    order = sorted(rests.items(), key=lambda item: (item[1] is None, abs(item[1] or 0)))
    return "; ".join(f"{words} ({'not beyond chance' if left is None else signed(left)})" for words, left in order)


def _summary(places: Mapping[Judgement, list[Placed]]) -> str:
    everywhere = [placed for each in places.values() for placed in each]
    counts = []
    for cells, by_lbfgs in (("cells with `lbfgs`", True), ("others", False)):
        all_, done = (
            [placed for placed in each if (placed.cell.config["readout"] == "lbfgs") == by_lbfgs]
            for each in (everywhere, places.get("accounted for", []))
        )
        counts.append(f"{len(done)} of {len(all_)} {cells}")
    named = [
        f"**{words}:** {'; '.join(f'{placed.row} {placed.column}' for placed in places[each])}."
        for each, words in OTHERS.items()
        if each in places
    ]
    return " ".join([f"Accounted for, within three points of the paper: {', '.join(counts)}.", *named])


def turned(places: Iterable[Placed]) -> str:
    """Markdown: pairs of cells of a row whose order here is the reverse of the paper's; the paper's better one first.

    The paper's figures of each pair differ by more than `ORDERED` points.
    """
    of_paper = [(placed, placed.cell.paper["value"]) for placed in places if placed.cell.paper]
    lines = []
    for (better, high), (worse, low) in product(of_paper, repeat=2):
        if better.row == worse.row and high - low > ORDERED:
            difference = paired(better.cell, worse.cell)
            if difference.value < 0:
                here = [plus_minus(placed.cell) for placed in (better, worse)]
                lines.append([better.row, better.column, worse.column, high, low, *here, signed(difference)])
    heads = ["row", "first", "second", "paper: first", "second", "here: first", "second", "first minus second"]
    return rows(heads, lines) if lines else NONE
