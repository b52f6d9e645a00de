"""Tests of `claims` and what came of them, in words: made from what `verdicts` applies, so that they cannot differ."""

from collections.abc import Sequence

from audit.claims.claims import FILE, HALF, Effect, Test
from audit.claims.explanations import PLACE
from audit.claims.verdicts import Judged, Outcome, Result, paper_entry
from audit.tables.addresses import Address
from audit.tables.tables import MINUS, plus_minus, signed
from multistage.records.intervals import Measured, half_width
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

HOME = "table1"
"""The folder that goes without saying."""


def verdict(judged: Judged) -> str:
    """The verdict, how many tests agree with it, how much was measured, and whether something stands in."""
    words: str = judged.verdict
    measured = len(judged.measured)
    if measured:
        words += " that decides" * (words == "no data")
        if words == "holds in part":
            supported = [result for result in judged.measured if result.outcome == "supported"]
            words += f" ({len(supported)} of {measured})"
        if measured < len(judged.results):
            words += f", {measured} of {len(judged.results)} tests so far"
        words += " (stand-in)" * bool(judged.claim.stand_in)
    return words


def headline(judged: Judged, published: Sequence[Record]) -> str:
    """The figure of the test that fits least: of those with the worst outcome, the one with the least margin."""
    order: Sequence[Outcome] = ("contradicted", "undecided", "supported")
    least = min(judged.measured, key=lambda result: (order.index(result.outcome), result.margin), default=None)
    return "" if least is None else f"{quantity(least.test, published)}: {figure(least)}"


def figure(result: Result) -> str:
    """A figure with its interval, unit and number of draws; an en dash without data."""
    found = result.figure
    if found is None:
        return "\N{EN DASH}"
    if result.test.measured:
        return _number(found)
    interval = found.interval if found.interval == result.interval else None
    text = (plus_minus if found.unit == "%" else signed)(found.value, interval)
    return " ".join(filter(None, [result.side, text, found.unit, f"({found.n})"]))


def outcome(result: Result) -> str:
    """How a test came out, and whether it did without an interval of its own."""
    if result.figure is None or (result.interval is not None and result.interval == result.figure.interval):
        return result.outcome
    if result.test.measured:
        return f"{result.outcome} (no interval)"
    width = f": ± {half_width(result.interval):.1f}" if result.interval and result.figure.n > 1 else ""
    return f"{result.outcome} ({'single run' if result.figure.n == 1 else f'{result.figure.n} runs'}{width})"


def rule(result: Result, published: Sequence[Record]) -> str:
    """What has to be for a test to be supported: quantity, bound, and what a single run counts as."""
    test = result.test
    bound = f"{result.bound:g}".replace("-", MINUS)
    demand = f"within {bound} of {test.of:g}" if test.relation == "within" else f"{test.relation} {bound}"
    if test.bound == HALF:
        demand += f", half of the paper's {2 * result.bound:g}".replace("-", MINUS)
    alone = (
        "" if test.alone is None else f" ({'without interval' if test.measured else 'single run'}: ± {test.alone:g})"
    )
    return f"{quantity(test, published)} is {demand}{alone}"


def quantity(test: Test, published: Sequence[Record]) -> str:
    """What a test estimates."""
    if test.effect is None:
        return " less ".join(f"`{name}`" for name in test.measured)
    text = _effect(test.effect, published)
    if test.to_loss is not None:
        return f"epochs to a training loss of {test.to_loss:g}: {text}"
    return text if test.beyond is None else f"({text}) less ({_effect(test.beyond, published)})"


def cell(address: Address) -> str:
    """A cell by the column and row of its table."""
    folder, row, column = address
    place = f"{row}, {column} labels a class" if column.isdigit() else f"{column} ({row})"
    return f"`{'' if folder == HOME else f'{folder}: '}{place}`"


def evidence(text: str, published: Sequence[Record]) -> str:
    """A text with the paper's figures: ``[[ADDRESS]]``, ``[[ADDRESS | minus | ADDRESS]]``, rows without readout.

    Raises:
        MultistageError: A figure that the paper does not have.
    """
    return PLACE.sub(lambda found: _filled([part.strip() for part in found[1].split("|")], published), text)


def _filled(parts: Sequence[str], published: Sequence[Record]) -> str:
    places = [parts] if len(parts) == 3 else [parts[:3], parts[4:]] if len(parts) == 7 and parts[3] == "minus" else []
    found = [paper_entry(published, (folder, row, column)) for folder, row, column in places]
    entries = [entry for entry in found if entry is not None]
    if not found or len(entries) < len(found):
        raise MultistageError(f"{FILE}: the paper has no figure for [[{' | '.join(parts)}]]")
    if len(entries) == 1:
        return str(entries[0].get("printed", entries[0]["value"]))
    return f"{entries[0]['value'] - entries[1]['value']:+.1f}".replace("-", MINUS)


def _effect(effect: Effect, published: Sequence[Record]) -> str:
    if effect.minus is not None:
        return f"{cell(effect.cell)} less {cell(effect.minus)}"
    if not effect.less_paper:
        return cell(effect.cell)
    entry = paper_entry(published, effect.cell)
    return f"{cell(effect.cell)} less the paper's {'figure' if entry is None else entry['value']}"


def _number(found: Measured) -> str:
    """A number of the lecture's page: four significant digits, its interval, what it is."""
    spread = "" if found.interval is None else f" ({found.interval[0]:.4g} to {found.interval[1]:.4g})"
    unit = f" {found.unit}" if found.unit else ""
    return f"{found.value:.4g}{unit}{spread}: {found.what}"
