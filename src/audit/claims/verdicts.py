"""Apply the tests of `claims` to runs and measurements, and derive verdicts.

A test is supported if the whole 95 % interval of its quantity meets the bound, contradicted if none of it does, and
undecided otherwise. A figure without an interval decides only if the test assigns a half width. Two runs get that half
width divided by the root of two, because Student's interval of two runs is six times their difference.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import copysign, inf, sqrt
from pathlib import Path
from typing import Any, Literal

from audit.claims.claims import HALF, Claim, Test
from audit.claims.quantities import Cells, Estimate, Over, Side, estimate, of_paper
from audit.tables.addresses import Wanted, find
from audit.tables.results import Results
from multistage.records.cells import FEW
from multistage.records.intervals import Interval, Measured, half_width
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

MEASURED = Path("lecture") / "measured.json"

DRAWS = 5
"""Number of runs of a cell in the paper's protocol; with fewer, a test may be undecided."""

Outcome = Literal["supported", "contradicted", "undecided", "no data"]
Verdict = Literal["holds", "holds in part", "fails", "no data"]


@dataclass(frozen=True)
class Evidence:
    """Data for verdicts.

    Attributes:
        cells: Cells that claims need and that were run.
        measured: Numbers of the lecture's page, by claim and name.
        published: The paper's figures.
    """

    cells: Cells
    measured: Mapping[str, Mapping[str, Measured]]
    published: Sequence[Record]


@dataclass(frozen=True, kw_only=True)
class Result(Estimate):
    """Result of a test.

    Attributes:
        test: The test.
        bound: In the quantity's unit.
        interval: The interval that decides: the figure's own, or the one that the test assigns; None if neither exists.
        outcome: Outcome of the test.
        missing: Missing cells.
        few: Cells for which more draws could decide the test.
        absent: Missing numbers of the lecture's page.
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
        """Return the margin to the bound in half widths of the deciding interval; positive if the bound is met."""
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
        """Return the results that have a figure."""
        return [result for result in self.results if result.figure is not None]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict from the outcomes of all tests."""
        return verdict(result.outcome for result in self.results)


def verdict(outcomes: Iterable[Outcome]) -> Verdict:
    """Derive the verdict: holds if all measured tests support the claim, holds in part if some do.

    It fails if none does and at least one contradicts it. No data: nothing was measured, or nothing decides.
    """
    found = set(outcomes) - {"no data"}
    if "supported" in found:
        return "holds" if len(found) == 1 else "holds in part"
    return "fails" if "contradicted" in found else "no data"


def gather(claims: Iterable[Claim], results: Results) -> Evidence:
    """Collect the data that claims need.

    Raises:
        MultistageError: Two cells match one description, or measurements are damaged.
    """
    cells, found = {}, results.joined
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
        MultistageError: A rule needs a figure that the paper does not have, or runs must not be compared.
    """
    return Judged(claim, tuple(_result(test, claim, evidence) for test in claim.tests))


def measurements(results: Path) -> dict[str, dict[str, Measured]]:
    """Read the numbers of the lecture's page by claim and name; empty if it was not made yet.

    Raises:
        MultistageError: The file is damaged.
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
    found = estimate(test.quantity, evidence.cells, numbers) if there else Estimate(None)
    figure = found.figure
    interval = None if figure is None else _interval(test, figure)
    outcome = "no data" if figure is None else _outcome(test, bound, interval)
    if not _may_decide(found.side, test, outcome):
        outcome = "undecided"
    by_draws = outcome == "undecided" and not isinstance(test.quantity, Over)  # its interval is over cells
    few = tuple(w for w in test.cells if by_draws and evidence.cells[w].n < DRAWS)
    here: dict[str, Any] = {"missing": missing, "few": few, "absent": absent, **vars(found)}
    return Result(test=test, bound=bound, interval=interval, outcome=outcome, **here)


def _interval(test: Test, figure: Measured) -> Interval | None:
    """Return the deciding interval: a figure's own, or the one assigned to few runs and exact numbers."""
    if test.alone is None or (test.numbers and figure.interval is not None):
        return figure.interval
    return deciding(figure.value, figure.interval, 1 if test.numbers else figure.n, test.alone)


def deciding(mean: float, interval: Interval | None, n: int, alone: float) -> Interval:
    """Return the interval that decides: a mean's own, or for one or two runs `alone`, the half width of one run."""
    if n >= FEW and interval is not None:
        return interval
    return mean - alone / sqrt(n), mean + alone / sqrt(n)


def _outcome(test: Test, bound: float, interval: Interval | None) -> Outcome:
    """Compare the interval with the bound."""
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
    """Return whether a one-sided bound is on the side that an outcome needs."""
    needed: Side = "at least" if (test.relation == "above") == (outcome == "supported") else "at most"
    return not side or (side == needed and test.relation != "within")
