"""How the tests of `claims` come out on what was run and measured, and the verdict that follows.

A test is supported where the whole 95 % interval of its quantity lies as its bound demands, contradicted where none of
it does, and undecided otherwise. A figure without interval decides only where the test gives it a width; there that
width, over the root of two, also stands for the interval of two runs, which is six times their difference.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import copysign, inf, log, sqrt
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from multistage.errors import MultistageError
from multistage.estimates import Interval, Measured, half_width, t_interval
from multistage.report.cells import FEW, METRIC, Cell, Draw, draw, pairs
from multistage.report.claims import HALF, Claim, Effect, Test
from multistage.report.explanations import Address, Cells
from multistage.report.layout import LABELS
from multistage.runs import Record

MEASURED = Path("lecture") / "measured.json"

TINY = 1e-12
"""Nats; below any loss that float32 tells from none."""

DRAWS = 5
"""Runs of a cell in the paper's protocol; fewer may be why a test is undecided."""

Outcome = Literal["supported", "contradicted", "undecided", "no data"]
Side = Literal["", "at least", "at most", "about"]
Verdict = Literal["holds", "holds in part", "fails", "no data"]


@dataclass(frozen=True)
class Evidence:
    """What verdicts are made from.

    Attributes:
        cells: By address, as from `explanations.addresses`.
        measured: Of the lecture's page, by claim and name.
        published: The paper's figures.
    """

    cells: Cells
    measured: Mapping[str, Mapping[str, Measured]]
    published: Sequence[Record]


@dataclass(frozen=True)
class Result:
    """How a test came out.

    Attributes:
        test: The test.
        bound: In the quantity's unit.
        figure: None without data.
        interval: What decides: the figure's own, or what the test gives it; None where there is neither.
        outcome: What follows for the test.
        missing: The cells that it lacks.
        few: The cells that more draws could decide it by.
        absent: The numbers of the lecture's page that it lacks.
        reason: Why there is no figure though nothing is missing; "" where there is one.
        side: Which bound it is, as some runs never got to a loss and are counted as one epoch more than they had.
    """

    test: Test
    bound: float
    figure: Measured | None
    interval: Interval | None
    outcome: Outcome
    missing: tuple[Address, ...] = ()
    few: tuple[Address, ...] = ()
    absent: tuple[str, ...] = ()
    reason: str = ""
    side: Side = ""

    @property
    def margin(self) -> float:
        """How far the figure lies on its bound's good side, in half widths of the interval that decides."""
        assert self.figure is not None
        value, bound = self.figure.value, self.bound
        room = {"above": value - bound, "below": bound - value, "within": bound - abs(value - self.test.of)}
        distance = room[self.test.relation]
        half = half_width(self.interval) if self.interval else 0.0
        return distance / half if half else copysign(inf, distance)


@dataclass(frozen=True)
class Judged:
    """A claim with the results of its tests, in their order."""

    claim: Claim
    results: tuple[Result, ...]

    @property
    def measured(self) -> list[Result]:
        """The results that have a figure."""
        return [result for result in self.results if result.figure is not None]

    @property
    def verdict(self) -> Verdict:
        """What follows from the outcomes of all tests."""
        return verdict(result.outcome for result in self.results)


def verdict(outcomes: Iterable[Outcome]) -> Verdict:
    """Holds: all measured tests support it. Holds in part: some do. Fails: none does and at least one contradicts it.

    No data: nothing was measured, or nothing that decides.
    """
    found = set(outcomes) - {"no data"}
    if "supported" in found:
        return "holds" if len(found) == 1 else "holds in part"
    return "fails" if "contradicted" in found else "no data"


def judge(claim: Claim, evidence: Evidence) -> Judged:
    """Apply every test of a claim.

    Raises:
        MultistageError: A rule asks for a figure that the paper does not have, or runs must not be compared.
    """
    return Judged(claim, tuple(_result(test, claim, evidence) for test in claim.tests))


def measurements(results: Path) -> dict[str, dict[str, Measured]]:
    """The numbers of the lecture's page by claim and name; none where it was not made yet.

    Raises:
        MultistageError: A file that is damaged.
    """
    path = results / MEASURED
    if not path.exists():
        return {}
    try:
        return {
            claim: {name: _measured(entry) for name, entry in figures.items()}
            for claim, figures in json.loads(path.read_text(encoding="utf-8")).items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise MultistageError(f"{path} is damaged ({error}); run python scripts/lecture.py again") from None


def paper_entry(published: Sequence[Record], address: Address) -> Record | None:
    """What the paper has for a cell, whether it was run or not; None if nothing.

    Args:
        published: As from `paper.published`.
        address: A cell of Table 1 or of the curves of NORB.
    """
    folder, row, column = address
    words = row.split(", ")
    for entry in published:
        place = (str(entry[LABELS]), entry["column"] in words) if folder == "norb" else (entry["column"], True)
        here = entry["data"] == ("caltech101" if folder == "table1" else folder)
        readout = entry.get("readout") == "pyramid_svm"
        if here and entry["row"] in words and place == (column, True) and readout == ("pyramid_svm" in words):
            return entry
    return None


def _measured(entry: Mapping[str, Any]) -> Measured:
    interval = entry.get("interval")
    return Measured(**{**entry, "interval": None if interval is None else (interval[0], interval[1])})


def _result(test: Test, claim: Claim, evidence: Evidence) -> Result:
    bound = _half(test, claim, evidence) if test.bound == HALF else float(test.bound)
    missing = tuple(dict.fromkeys(address for address in test.addresses if address not in evidence.cells))
    numbers = evidence.measured.get(claim.id, {})
    absent = tuple(name for name in test.measured if name not in numbers)
    figure, reason = None, ""
    if test.measured:
        figure = None if absent else _number([numbers[name] for name in test.measured])
    elif not missing:
        figure, reason = _estimate(test, evidence.cells)
    interval = None if figure is None else _interval(test, figure)
    outcome = "no data" if figure is None else _outcome(test, bound, interval)
    side: Side = "" if figure is None else _side(test, evidence.cells)
    if not _may_decide(side, test, outcome):
        outcome = "undecided"
    few = tuple(a for a in test.addresses if outcome == "undecided" and evidence.cells[a].n < DRAWS)
    return Result(test, bound, figure, interval, outcome, missing, few, absent, reason, side)


def _interval(test: Test, figure: Measured) -> Interval | None:
    """What decides: a figure's own interval, or what the test gives to few runs and to exact numbers."""
    runs = figure.n if test.effect is not None else 1
    if test.alone is None or (figure.interval is not None and (test.effect is None or runs >= FEW)):
        return figure.interval
    half = test.alone / sqrt(runs)
    return figure.value - half, figure.value + half


def _outcome(test: Test, bound: float, interval: Interval | None) -> Outcome:
    """Where the interval lies."""
    if interval is None:
        return "undecided"
    low, high = interval
    first, last = test.of - bound, test.of + bound
    supported, contradicted = {
        "above": (low > bound, high <= bound),
        "below": (high < bound, low >= bound),
        "within": (first <= low and high <= last, high < first or low > last),
    }[test.relation]
    return "supported" if supported else "contradicted" if contradicted else "undecided"


def _number(found: Sequence[Measured]) -> Measured:
    """A number of the lecture's page, or one less another.

    The interval of a difference reaches from end to opposite end, as what was measured on the same images may go
    together: it is wider than a paired one.
    """
    if len(found) == 1:
        return found[0]
    first, other = found
    (low, high), (least, most) = (each.interval or (each.value, each.value) for each in found)
    interval = (low - most, high - least) if first.interval or other.interval else None
    what = f"{first.what}, less {other.what}"
    return Measured(first.value - other.value, what, first.unit, interval, min(first.n, other.n))


def _estimate(test: Test, cells: Cells) -> tuple[Measured | None, str]:
    """The quantity's mean over draws with its interval, or why there is none."""
    assert test.effect is not None
    values = _by_draw(test.effect, cells, test.to_loss)
    if test.beyond is not None:
        others = _by_draw(test.beyond, cells, None)
        values = {key: value - others[key] for key, value in values.items() if key in others}
    if not values:
        loss = f"no pair of runs got to a training loss of {test.to_loss:g}" if test.to_loss is not None else ""
        return None, loss or "the cells share no draw and seed"
    unit = "epochs" if test.to_loss is not None else "points" if test.effect.minus or test.effect.less_paper else "%"
    numbers = list(values.values())
    return Measured(fmean(numbers), test.says, unit, t_interval(numbers), len(numbers)), ""


def _by_draw(effect: Effect, cells: Cells, to_loss: float | None) -> dict[Draw, float]:
    """An effect by the draws and seeds that its cells share."""
    cell = cells[effect.cell]
    if effect.minus is not None:
        found = pairs(cell, cells[effect.minus])
        if to_loss is not None:
            sooner = {key: _epochs_less(one, other, to_loss) for key, (one, other) in found.items()}
            return {key: value for key, value in sooner.items() if value is not None}
        return {key: _accuracy(one) - _accuracy(other) for key, (one, other) in found.items()}
    subtracted = _of_paper(cell) if effect.less_paper else 0.0
    return {draw(record): _accuracy(record) - subtracted for record in cell.records}


def _accuracy(record: Record) -> float:
    return 100 * record["metrics"][METRIC]


def _epochs_less(one: Record, other: Record, loss: float) -> float | None:
    """How many epochs later the first run gets to a loss; None if neither does, or one recorded no epochs."""
    first, second = _losses(one), _losses(other)
    reached = min([*first, *second], default=loss + 1) <= loss
    return _epoch(first, loss) - _epoch(second, loss) if first and second and reached else None


def _side(test: Test, cells: Cells) -> Side:
    """Which bound a mean of epochs to a loss is, because runs on one side of the difference never got there."""
    loss, effect = test.to_loss, test.effect
    if loss is None or effect is None or effect.minus is None:
        return ""
    found = [(_losses(one), _losses(other)) for one, other in pairs(cells[effect.cell], cells[effect.minus]).values()]
    counted = [(min(first), min(second)) for first, second in found if first and second]
    late = any(second <= loss < first for first, second in counted)
    early = any(first <= loss < second for first, second in counted)
    return "about" if late and early else "at least" if late else "at most" if early else ""


def _may_decide(side: Side, test: Test, outcome: Outcome) -> bool:
    """Whether a bound lies on the side that an outcome needs."""
    needed: Side = "at least" if (test.relation == "above") == (outcome == "supported") else "at most"
    return not side or (side == needed and test.relation != "within")


def _losses(record: Record) -> list[float]:
    """Mean training loss by epoch; none of a run that was not trained by epochs, or recorded none."""
    history = record.get("history", {})
    return list(history["train_loss"]) if "epoch" in history else []


def _epoch(losses: Sequence[float], loss: float) -> float:
    """When losses fall to `loss`, exponentially between epochs; one more than there are epochs if never."""
    if losses[0] <= loss:
        return 1.0
    for epoch, (before, after) in enumerate(pairwise(losses), 1):
        if after <= loss:
            return epoch + log(before / loss) / log(before / max(after, TINY))
    return len(losses) + 1.0


def _of_paper(cell: Cell) -> float:
    if cell.paper is None:
        raise MultistageError(
            f"the paper has no figure for {cell.title}, from which a rule of claims.yaml subtracts it"
        )
    return float(cell.paper["value"])


def _half(test: Test, claim: Claim, evidence: Evidence) -> float:
    """Half of what the paper has for a test's quantity."""
    total = 0.0
    for effect, sign in ((test.effect, 1), (test.beyond, -1)):
        for address, side in zip(effect.addresses if effect else [], (1, -1), strict=False):
            entry = paper_entry(evidence.published, address)
            if entry is None:
                where = " | ".join(address)
                raise MultistageError(f"{claim.id}: the paper has no figure for {where}, of which half is the bound")
            total += sign * side * entry["value"]
    return round(total / 2, 6)
