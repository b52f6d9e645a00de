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
from audit.claims.quantities import Cells, Estimate, Side, estimate, of_paper
from audit.tables.addresses import Wanted, find
from audit.tables.results import Results
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
        cells: Of those that claims want, the ones that were run.
        measured: Of the lecture's page, by claim and name.
        published: The paper's figures.
    """

    cells: Cells
    measured: Mapping[str, Mapping[str, Measured]]
    published: Sequence[Record]


@dataclass(frozen=True, kw_only=True)
class Result(Estimate):
    """How a test came out.

    Attributes:
        test: The test.
        bound: In the quantity's unit.
        interval: What decides: the figure's own, or what the test gives it; None where there is neither.
        outcome: What follows for the test.
        missing: The cells that it lacks.
        few: The cells that more draws could decide it by.
        absent: The numbers of the lecture's page that it lacks.
    """

    test: Test
    bound: float
    interval: Interval | None
    outcome: Outcome
    missing: tuple[Wanted, ...] = ()
    few: tuple[Wanted, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def margin(self) -> float:
        """How far the figure lies on its bound's good side, in half widths of the interval that decides."""
        assert self.figure is not None
        value, bound = self.figure.value, self.bound
        room = {"above": value - bound, "below": bound - value, "within": bound - abs(value - self.test.around)}
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


def gather(claims: Iterable[Claim], results: Results) -> Evidence:
    """What there is of all that claims want.

    Raises:
        MultistageError: Two cells fit one that is wanted; measurements that are damaged.
    """
    cells, found = {}, results.found
    for claim in claims:
        for wanted in dict.fromkeys(wanted for test in claim.tests for wanted in test.cells if wanted not in cells):
            try:
                if cell := find(wanted, found):
                    cells[wanted] = cell
            except LookupError as error:
                place = " | ".join((wanted.folder, *wanted.place(results.paper)))
                raise MultistageError(f"{claim.id}: {place} {error.args[0]}") from None
    return Evidence(cells, measurements(results.root), results.paper)


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


def _measured(entry: Mapping[str, Any]) -> Measured:
    interval = entry.get("interval")
    return Measured(**{**entry, "interval": None if interval is None else (interval[0], interval[1])})


def _result(test: Test, claim: Claim, evidence: Evidence) -> Result:
    try:
        bound = round(of_paper(test.quantity, evidence.published) / 2, 6) if test.bound == HALF else float(test.bound)
    except LookupError as error:
        raise MultistageError(f"{claim.id}: {error.args[0]}, of which half is the bound") from None
    numbers = evidence.measured.get(claim.id, {})
    missing = tuple(dict.fromkeys(wanted for wanted in test.cells if wanted not in evidence.cells))
    absent = tuple(name for name in test.numbers if name not in numbers)
    there = not missing and not absent
    found = estimate(test.quantity, test.says, evidence.cells, numbers) if there else Estimate(None)
    figure = found.figure
    interval = None if figure is None else _interval(test, figure)
    outcome = "no data" if figure is None else _outcome(test, bound, interval)
    if not _may_decide(found.side, test, outcome):
        outcome = "undecided"
    few = tuple(w for w in test.cells if outcome == "undecided" and evidence.cells[w].n < DRAWS)
    here: dict[str, Any] = {"missing": missing, "few": few, "absent": absent, **vars(found)}
    return Result(test=test, bound=bound, interval=interval, outcome=outcome, **here)


def _interval(test: Test, figure: Measured) -> Interval | None:
    """What decides: a figure's own interval, or what the test gives to few runs and to exact numbers."""
    if test.alone is None or (figure.interval is not None and (test.numbers or figure.n >= FEW)):
        return figure.interval
    half = test.alone / sqrt(1 if test.numbers else figure.n)
    return figure.value - half, figure.value + half


def _outcome(test: Test, bound: float, interval: Interval | None) -> Outcome:
    """Where the interval lies."""
    if interval is None:
        return "undecided"
    low, high = interval
    first, last = test.around - bound, test.around + bound
    supported, contradicted = {
        "above": (low > bound, high <= bound),
        "below": (high < bound, low >= bound),
        "within": (first <= low and high <= last, high < first or low > last),
    }[test.relation]
    return "supported" if supported else "contradicted" if contradicted else "undecided"


def _may_decide(side: Side, test: Test, outcome: Outcome) -> bool:
    """Whether a bound lies on the side that an outcome needs."""
    needed: Side = "at least" if (test.relation == "above") == (outcome == "supported") else "at most"
    return not side or (side == needed and test.relation != "within")
