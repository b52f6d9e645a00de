"""What differs from the paper: cells that miss its figure, with what explains them, and columns in another order.

An explanation is another cell, run to see whether what it changes is why a cell misses. It counts if it lies on the
paper's side of the cell, beyond chance: by more than the interval of their difference, or three points for a single
run. Of the miss, less what was so moved, three points may remain. Where more remains, the cell is explained in part;
where another explanation went more than three points beyond the paper's figure, that lies between.
"""

from collections.abc import Mapping
from typing import Literal

from multistage.estimates import half_width
from multistage.report.addresses import Address, Cells
from multistage.report.cells import CLOSE, Cell, Difference, paired
from multistage.report.tables import plus_minus, rows, signed

Rests = Mapping[Address, Mapping[str, float | None]]
"""Of cells, what was tried to explain them, in words, and the points that it leaves of the miss, as from `rest`."""

Judgement = Literal["explained", "in part", "the paper lies between", "open"]

UNEXPLAINED: dict[Judgement, str] = {
    "the paper lies between": "The paper lies between what was tried and the cell",
    "in part": "Explained in part",
    "open": "Without a tested explanation yet",
}

ORDERED = 2.0
"""Points; columns of a row that differ by more in the paper have an order."""

NONE = "None of the cells run so far."


def rest(one: Cell, other: Cell) -> float | None:
    """What remains of a cell's miss, in points and with its sign, if what the other cell changes is taken off.

    None if the other does not move it towards the paper's figure beyond chance, or the paper has no figure.
    """
    if one.difference is None:
        return None
    moved = paired(one, other)
    least = CLOSE if moved.interval is None else half_width(moved.interval)
    towards = moved.mean * one.difference > 0 and abs(moved.mean) > least
    return one.difference - moved.mean if towards else None


def judge(miss: float, rests: Mapping[str, float | None]) -> Judgement:
    """What explanations make of a miss.

    Args:
        miss: In points.
        rests: What each explanation leaves, as from `rest`.
    """
    left = [each for each in rests.values() if each is not None]
    if not left:
        return "open"
    if min(map(abs, left)) <= CLOSE:
        return "explained"
    return "the paper lies between" if any(each * miss < 0 for each in left) else "in part"


def missed(found: Cells, name: str) -> list[Address]:
    """The cells of a folder that miss the paper's figure by more than three points."""
    return [address for address, cell in found.items() if address[0] == name and cell.is_close is False]


def table(found: Cells, name: str, tried: Rests) -> str:
    """Markdown: every missed cell of a folder with what was tried to explain it; then how many are explained."""
    lines: list[list[object]] = []
    places: dict[Judgement, list[str]] = {}
    for address in missed(found, name):
        cell, rests = found[address], tried.get(address, {})
        assert cell.difference is not None
        assert cell.paper is not None
        judgement = judge(cell.difference, rests)
        places.setdefault(judgement, []).append(" ".join(address[1:]))
        figures = [plus_minus(cell.mean, cell.interval), cell.paper["value"], signed(cell.difference), cell.n]
        lines.append([*address[1:], *figures, _explanations(rests), judgement])
    if not lines:
        return NONE
    heads = ["row", "column", "here", "paper", "miss", "n", "what was tried (what of the miss it leaves)", "judged"]
    return f"{rows(heads, lines)}\n\n{_summary(places)}"


def _explanations(rests: Mapping[str, float | None]) -> str:
    """What leaves least comes first, what moves nothing last."""
    order = sorted(rests.items(), key=lambda item: (item[1] is None, abs(item[1] or 0)))
    return "; ".join(f"{words} ({'moves nothing' if left is None else signed(left)})" for words, left in order)


def _summary(places: Mapping[Judgement, list[str]]) -> str:
    total = sum(map(len, places.values()))
    named = [f"**{words}:** {'; '.join(places[each])}." for each, words in UNEXPLAINED.items() if each in places]
    return " ".join([f"Of these {total} cells {len(places.get('explained', []))} are explained.", *named])


def turned(found: Cells, name: str) -> list[tuple[Address, Address, Difference]]:
    """Pairs of cells of a row, the better one of the paper first, that stand the other way round here; how far.

    Of each pair the paper's figures differ by more than `ORDERED` points.
    """
    of_paper = {address: float(cell.paper["value"]) for address, cell in found.items() if cell.paper}
    ordered = [
        (better, worse, paired(found[better], found[worse]))
        for better, high in of_paper.items()
        for worse, low in of_paper.items()
        if better[0] == name and better[:2] == worse[:2] and high - low > ORDERED
    ]
    return [pair for pair in ordered if pair[2].mean < 0]


def table_of_turned(found: Cells, name: str) -> str:
    """Markdown: what `turned` finds."""
    lines = []
    for better, worse, difference in turned(found, name):
        pair = [found[better], found[worse]]
        papers = [cell.paper["value"] for cell in pair if cell.paper]
        here = [plus_minus(cell.mean, cell.interval) for cell in pair]
        lines.append([better[1], better[2], worse[2], *papers, *here, signed(difference.mean, difference.interval)])
    heads = ["row", "first", "second", "paper: first", "second", "here: first", "second", "first less second"]
    return rows(heads, lines) if lines else NONE
