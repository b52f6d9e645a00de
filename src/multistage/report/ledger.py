"""``results/claims.md``: every claim with its evidence, its tests in words, what was measured, and the verdict.

Words and figures are made from the same tests that `verdicts` applies, so that they cannot differ.
"""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from multistage import durable
from multistage.errors import MultistageError
from multistage.lecture.section import Measured
from multistage.report import claims
from multistage.report.captions import count, listed
from multistage.report.claims import HALF, Claim, Effect, Test
from multistage.report.explanations import PLACE, Address, addresses
from multistage.report.tables import plus_minus, rows, signed
from multistage.report.verdicts import Evidence, Judged, Result, judge, measurements, paper_entry
from multistage.runs import Record

TEXT = "claims.md"
LECTURE = "python scripts/lecture.py"
HOME = "table1"
"""The folder that goes without saying."""

PARTS = {"paper": "What the paper claims", "lecture": "What the lecture says", "extra": "Further questions"}

INTRODUCTION = """\
# Claims and verdicts

Made from [claims.yaml](claims.yaml) and records by `python scripts/report.py`; do not edit.

Each claim is cut into tests: a quantity and a bound. Cells are compared draw by draw (figures: mean ± half the width of
Student's 95 % interval, number of draws). A test is *supported* where that whole interval lies as the bound demands,
*contradicted* where none of it does, *undecided* otherwise; a single run decides only where the rule says so. A claim
**holds** if every test that was measured supports it, **holds in part** if some do, and **fails** if none does and at
least one contradicts it; otherwise there is **no data** that decides.

A claim of direction is tested against 0, one of size against half of the paper's difference, one of equality against two
points to either side. Cells are named by column and row of their table, without a folder's name those of
[table1](table1/table.md). Rules about random frozen filters (R and RR) and about digits were written when their figures
were known already, all others before there were any."""


def write(results: Path, published: Sequence[Record]) -> Path | None:
    """Write ``claims.md`` where there is a ledger; None if it was so already.

    Raises:
        MultistageError: A ledger that cannot be read or applied.
    """
    path = results / TEXT
    text = document(ledger(results, published), published)
    is_so = path.exists() and path.read_text(encoding="utf-8") == text
    if is_so or not (results / claims.FILE).exists():
        return None
    durable.write(path, text.encode())
    return path


def ledger(results: Path, published: Sequence[Record]) -> list[Judged]:
    """Every claim with the results of its tests, on all that is published; none where there is no ledger.

    Raises:
        MultistageError: A ledger that cannot be read or applied.
    """
    path = results / claims.FILE
    if not path.exists():
        return []
    evidence = Evidence(addresses(results, list(published)), measurements(results), published)
    return [judge(claim, evidence) for claim in claims.read(path)]


def document(found: Sequence[Judged], published: Sequence[Record]) -> str:
    """The whole text."""
    parts = [INTRODUCTION, rows(["", "claim", "verdict", "figure"], [_line(judged) for judged in found])]
    for prefix, title in PARTS.items():
        parts.append(f"## {title}")
        parts += [_section(judged, published) for judged in found if judged.claim.id.startswith(prefix)]
    return "\n\n".join(parts) + "\n"


def html(found: Sequence[Judged]) -> str:
    """The table of verdicts for the page of results; "" without claims."""
    if not found:
        return ""
    body = "".join(
        f'<tr><th scope="row">{judged.claim.id}</th><td>{escape(judged.claim.claim)}</td>'
        f"<td>{escape(shown(judged))}</td><td>{escape(headline(judged))}</td></tr>"
        for judged in found
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("id", "claim", "verdict", "figure"))
    return (
        '<section id="claims"><h2>claims</h2><p>What the paper and the lecture claim, and what these runs say. How each '
        "verdict was made, with all its figures: <code>results/claims.md</code>.</p>"
        '<div class="scroll wide" tabindex="0" role="region" aria-label="claims and verdicts"><table class="claims">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def shown(judged: Judged) -> str:
    """The verdict, how much of it was measured, and whether something stands in."""
    words: str = judged.verdict
    if judged.measured and len(judged.measured) < len(judged.results):
        words += f", {len(judged.measured)} of {len(judged.results)} tests so far"
    return words + (" (stand-in)" if judged.claim.stand_in and judged.measured else "")


def headline(judged: Judged) -> str:
    """The first test that has a figure."""
    return next((f"{result.test.says}: {figure(result)}" for result in judged.measured), "")


def figure(result: Result) -> str:
    """A figure with its interval, unit and number of draws; an en dash without data."""
    found = result.figure
    if found is None:
        return "\N{EN DASH}"
    if result.test.measured is not None:
        return _exact(found)
    text = (plus_minus if found.unit == "%" else signed)(found.value, found.interval)
    return f"{text} {found.unit} ({found.n})"


def rule(result: Result, published: Sequence[Record] = ()) -> str:
    """A test in words: quantity, bound, and what a single run may decide."""
    test, unit = result.test, "epochs" if result.test.to_loss is not None else ""
    bound = f"{result.bound:g}"
    if test.relation == "within":
        demand = f"within {bound}{f' of {test.of:g}' if test.of else ' of 0'}"
    else:
        demand = f"{test.relation} {bound}"
    if test.bound == HALF:
        demand += f" (half of the paper's {2 * result.bound:g})"
    text = f"{quantity(test, published)} is {demand}{' ' * bool(unit)}{unit}"
    if test.alone:
        text += f"; a single run decides from {test.alone:g} beyond that"
    return text


def quantity(test: Test, published: Sequence[Record] = ()) -> str:
    """What a test estimates, in words."""
    if test.effect is None:
        return f"`{test.measured}`"
    text = _effect(test.effect, published)
    if test.to_loss is not None:
        return f"epochs to a training loss of {test.to_loss:g}: {text}"
    return text if test.beyond is None else f"({text}) less ({_effect(test.beyond, published)})"


def name(address: Address) -> str:
    """A cell in words."""
    folder, row, column = address
    cell = f"{row}, {column} labels a class" if column.isdigit() else f"{column} ({row})"
    return f"`{'' if folder == HOME else f'{folder}: '}{cell}`"


def command(folder: str) -> str:
    """What runs the cells of a folder of results."""
    return f"python train.py experiment={folder}"


def evidence(text: str, published: Sequence[Record]) -> str:
    """What the paper has, with its figures: ``[[ADDRESS]]``, ``[[ADDRESS | minus | ADDRESS]]``, rows without readout.

    Raises:
        MultistageError: A figure that the paper does not have.
    """

    def place(parts: Sequence[str]) -> Record:
        entry = paper_entry(published, (parts[0], parts[1], parts[2])) if len(parts) == 3 else None
        if entry is None:
            raise MultistageError(f"{claims.FILE}: the paper has no figure for [[{' | '.join(parts)}]]")
        return entry

    def filled(found: str) -> str:
        parts = [part.strip() for part in found.split("|")]
        if len(parts) == 7 and parts[3] == "minus":
            difference = place(parts[:3])["value"] - place(parts[4:])["value"]
            return f"{difference:+.1f}".replace("-", "\N{MINUS SIGN}")
        entry = place(parts)
        return str(entry.get("printed", entry["value"]))

    return PLACE.sub(lambda found: filled(found[1]), text)


def _line(judged: Judged) -> list[str]:
    claim = judged.claim
    return [f"[{claim.id}](#{claim.id})", claim.claim, f"**{shown(judged)}**", headline(judged)]


def _section(judged: Judged, published: Sequence[Record]) -> str:
    claim = judged.claim
    parts = [
        f'<a id="{claim.id}"></a>\n\n### {claim.id}: {claim.claim}',
        f"**Verdict: {shown(judged)}.** {_tally(judged)}",
        f"*Evidence:* {evidence(claim.evidence, published)}",
    ]
    parts += [f"*Stand-in:* {claim.stand_in}"] * bool(claim.stand_in)
    parts += [f"*Not tested:* {claim.limits}"] * bool(claim.limits)
    parts.append(rows(["test", "is supported if", "measured", "outcome"], list(_tests(judged.results, published))))
    parts.append(f"*Run by:* {_commands(claim)}")
    if gaps := _missing(judged.results):
        parts.append(f"*Missing:* {gaps}.")
    return "\n\n".join(parts)


def _tests(results: Sequence[Result], published: Sequence[Record]) -> Iterable[list[str]]:
    """One line a test; what several in a row are about stands once."""
    before = ""
    for result in results:
        says, before = "" if result.test.says == before else result.test.says, result.test.says
        yield [says, rule(result, published), figure(result), _outcome(result)]


def _outcome(result: Result) -> str:
    found = result.figure
    if found is None or found.interval is not None:
        return result.outcome
    return f"{result.outcome} ({'no interval' if result.test.measured else 'single run'})"


def _tally(judged: Judged) -> str:
    outcomes = [result.outcome for result in judged.results]
    words = [f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes) if outcome != "no data"]
    lacking = outcomes.count("no data")
    words += [f"{lacking} without data"] * bool(lacking)
    return f"{count(len(outcomes), 'test')}: {listed(words)}."


def _commands(claim: Claim) -> str:
    folders = dict.fromkeys(address[0] for test in claim.tests for address in test.addresses)
    commands = [f"`{command(folder)}`" for folder in folders]
    return listed([*commands, *[f"`{LECTURE}`"] * any(test.measured for test in claim.tests)])


def _missing(results: Sequence[Result]) -> str:
    """What would have to be run, by command; "" if nothing."""
    lacking: dict[str, dict[str, list[str]]] = {}
    for folder, row, column in dict.fromkeys(address for result in results for address in result.missing):
        lacking.setdefault(folder, {}).setdefault(row, []).append(column)
    parts = [
        f"{'; '.join(f'{row}: {listed(columns)}' for row, columns in cells.items())} (`{command(folder)}`)"
        for folder, cells in lacking.items()
    ]
    parts += dict.fromkeys(
        f"{result.reason}{f' (`{LECTURE}`)' if result.test.measured else ''}" for result in results if result.reason
    )
    return "; ".join(parts)


def _effect(effect: Effect, published: Sequence[Record]) -> str:
    if effect.minus is not None:
        return f"{name(effect.cell)} less {name(effect.minus)}"
    if not effect.less_paper:
        return name(effect.cell)
    entry = paper_entry(published, effect.cell)
    return f"{name(effect.cell)} less the paper's {'figure' if entry is None else entry['value']}"


def _exact(found: Measured) -> str:
    """A number of the lecture's page: four significant digits, its interval, what it is."""
    spread = "" if found.interval is None else f" ({found.interval[0]:.4g} to {found.interval[1]:.4g})"
    unit = f" {found.unit}" if found.unit else ""
    return f"{found.value:.4g}{unit}{spread}: {found.what}"
