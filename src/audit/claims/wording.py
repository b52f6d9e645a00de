"""Describe tests and results in words, generated from the data that `verdicts` applies, so that both always agree."""

from collections.abc import Sequence
from dataclasses import replace

from audit.claims.claims import HALF
from audit.claims.quantities import Epochs, Kept, Number, OfPaper, Over
from audit.claims.verdicts import Judged, Outcome, Result
from audit.grid.places import OWN, Place
from audit.tables.addresses import Less, Quantity, Wanted
from audit.tables.tables import MINUS, plus_minus, signed
from multistage.records.intervals import Measured, half_width
from multistage.records.runs import Record

HOME = "table1"
"""The default folder, which is not printed."""


def verdict(judged: Judged) -> str:
    """Give the verdict, with its `support` in brackets, unless every test supports it or none was run."""
    measured = judged.measured
    if not measured:
        return judged.verdict
    words = f"{judged.verdict}{' that decides' * (judged.verdict == 'no data')}"
    whole = judged.verdict != "holds in part" and len(measured) == len(judged.results)
    return words if whole and not judged.claim.stand_in else f"{words} ({support(judged)})"


def support(judged: Judged) -> str:
    """Say how many of the tests run support a claim, how many were not run, and whether other data were used."""
    measured, tests = len(judged.measured), len(judged.results)
    supported = sum(result.outcome == "supported" for result in judged.measured)
    missing = [f"{tests - measured} not run"] * (measured < tests)
    return ", ".join([f"{supported} of {measured} tests", *missing, *["stand-in data"] * bool(judged.claim.stand_in)])


def weakest(judged: Judged) -> Result | None:
    """Return the claim's weakest test: the worst outcome, and among equals the one with the smallest margin."""
    order: Sequence[Outcome] = ("contradicted", "undecided", "supported")
    return min(judged.measured, key=lambda result: (order.index(result.outcome), result.margin), default=None)


def headline(judged: Judged, published: Sequence[Record]) -> str:
    """Give the quantity and the figure of the weakest test; "" without data."""
    found = weakest(judged)
    return "" if found is None else f"{quantity(found.test.quantity, published)}: {figure(found)}"


def figure(result: Result) -> str:
    """Format a figure with its interval, unit and number of draws; an en dash without data."""
    found = result.figure
    if found is None:
        return "\N{EN DASH}"
    if result.test.numbers:
        return _number(found)
    shown = found if found.interval == result.interval else replace(found, interval=None)
    text = (plus_minus if found.unit == "%" else signed)(shown)
    return " ".join(filter(None, [result.side, text, found.unit, f"({found.n})"]))


def outcome(result: Result) -> str:
    """Give the outcome of a test, and whether its interval was assigned."""
    if result.figure is None or (result.interval is not None and result.interval == result.figure.interval):
        return result.outcome
    if result.test.numbers:
        return f"{result.outcome} (no interval)"
    width = f": ± {half_width(result.interval):.1f}" if result.interval and result.figure.n > 1 else ""
    return f"{result.outcome} ({'single run' if result.figure.n == 1 else f'{result.figure.n} runs'}{width})"


def rule(result: Result, published: Sequence[Record]) -> str:
    """State the rule of a test: quantity, bound, and the interval assigned to a single run."""
    test = result.test
    bound = f"{result.bound:g}".replace("-", MINUS)
    demand = f"within {bound} of {test.around:g}" if test.relation == "within" else f"{test.relation} {bound}"
    if test.bound == HALF:
        demand += f", half of the paper's {2 * result.bound:g}".replace("-", MINUS)
    alone = "" if test.alone is None else f" ({'without interval' if test.numbers else 'single run'}: ± {test.alone:g})"
    return f"{quantity(test.quantity, published)} is {demand}{alone}"


def quantity(given: Quantity, published: Sequence[Record]) -> str:
    """Describe the quantity of a test."""
    match given:
        case Wanted():
            return cell(given, published)
        case Number(name):
            return f"`{name}`"
        case Kept(one, corruption):
            return f"share kept under {corruption}, {cell(one, published)}"
        case Epochs(loss, one, other):
            return f"epochs to a training loss of {loss:g}: {quantity(one - other, published)}"
        case Over(parts):
            return f"mean over {len(parts)} differences such as {quantity(parts[0], published)}"
        case Less(Wanted() as one, OfPaper()):
            entry = one.paper(published)
            printed = entry is not None and "printed" not in entry  # otherwise the paper prints it in another form
            return f"{cell(one, published)} minus the paper's {entry['value'] if entry and printed else 'figure'}"
        case Less(one, other):
            sides = [(each, quantity(each, published)) for each in (one, other)]
            return " minus ".join(f"({text})" if isinstance(each, Less) else text for each, text in sides)
    raise TypeError(f"{given} has no words")


def cell(wanted: Wanted, published: Sequence[Record]) -> str:
    """Name a cell by the column and row of its table."""
    if wanted.folder in OWN and wanted.further:
        operations, others = Place.changed(dict(wanted.further))
        row, _ = replace(wanted, further=tuple(others.items())).place(published)
        return f"`{wanted.folder}: {operations.name} ({row})`"
    row, column = wanted.place(published)
    place = f"{row}, {column} labels a class" if column.isdigit() else f"{column} ({row})"
    return f"`{'' if wanted.folder == HOME else f'{wanted.folder}: '}{place}`"


def _number(found: Measured) -> str:
    """Format a number of the lecture's page: four significant digits, its interval, its description."""
    spread = "" if found.interval is None else f" ({found.interval[0]:.4g} to {found.interval[1]:.4g})"
    unit = f" {found.unit}" if found.unit else ""
    return f"{found.value:.4g}{unit}{spread}: {found.what}"
