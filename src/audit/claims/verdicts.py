"""How the tests of `claims` come out on what was run and measured, and the verdict that follows.

A test is supported where the whole 95 % interval of its quantity lies as its bound demands, contradicted where none of
it does, and undecided otherwise. A figure without interval decides only where the test gives it a width; there that
width, over the root of two, also stands for the interval of two runs, which is six times their difference.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import copysign, inf, sqrt
from pathlib import Path
from typing import Any, Literal

from audit.claims.claims import HALF, Claim, Test
from audit.claims.quantities import Estimate, Side, estimate
from audit.tables.addresses import Address, Cells
from audit.tables.layout import LABELS
from multistage.records.cells import FEW
from multistage.records.intervals import Interval, Measured, half_width
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

MEASURED = Path("lecture") / "measured.json"

DRAWS = 5
"""Runs of a cell in the paper's protocol; fewer may be why a test is undecided."""

Outcome = Literal["supported", "contradicted", "undecided", "no data"]
Verdict = Literal["holds", "holds in part", "fails", "no data"]


@dataclass(frozen=True)
class Evidence:
    """What verdicts are made from.

    Attributes:
        cells: By address, as from `addresses.addresses`.
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
    found = Estimate(None)
    if test.measured and not absent:
        found = Estimate(_number([numbers[name] for name in test.measured]))
    elif test.effect is not None and not missing:
        found = estimate(test, evidence.cells)
    figure = found.figure
    interval = None if figure is None else _interval(test, figure)
    outcome = "no data" if figure is None else _outcome(test, bound, interval)
    if not _may_decide(found.side, test, outcome):
        outcome = "undecided"
    few = tuple(a for a in test.addresses if outcome == "undecided" and evidence.cells[a].n < DRAWS)
    return Result(test, bound, figure, interval, outcome, missing, few, absent, found.reason, found.side)


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


def _may_decide(side: Side, test: Test, outcome: Outcome) -> bool:
    """Whether a bound lies on the side that an outcome needs."""
    needed: Side = "at least" if (test.relation == "above") == (outcome == "supported") else "at most"
    return not side or (side == needed and test.relation != "within")


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
