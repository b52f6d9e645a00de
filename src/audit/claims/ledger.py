"""``results/claims.md``: every claim with its evidence, tests, measurements and verdict."""

from collections.abc import Iterable, Mapping, Sequence

from audit.claims import extra, extra_grid, lecture, paper_beyond, paper_table1, robustness, wording
from audit.claims.claims import Claim
from audit.claims.templates import PaperFigures
from audit.claims.verdicts import Judged, Outcome, Result, gather, judge
from audit.tables.addresses import Wanted
from audit.tables.results import Results
from audit.tables.tables import rows
from audit.tables.templates import ENVIRONMENT, render
from audit.tables.words import count, listed
from multistage.records.runs import Record
from multistage.settings import composition

CLAIMS = (
    *paper_table1.CLAIMS,
    *paper_beyond.CLAIMS,
    *lecture.CLAIMS,
    *extra.CLAIMS,
    *extra_grid.CLAIMS,
    *robustness.CLAIMS,
)

GROUPS = {"paper": "What the paper claims", "lecture": "What the lecture says", "extra": "Further questions"}
"""Headings of claims, by the first word of their ids."""

TEXT = "claims.md"
LECTURE = "python scripts/lecture.py"

OUTCOMES: tuple[Outcome, ...] = ("supported", "contradicted", "undecided", "no data")
"""Outcomes in the order of a tally."""

LONG = 12
"""Largest number of tests shown without folding; more are summarised. Missing cells have the same limit."""


def ledger(results: Results) -> list[Judged]:
    """Judge every claim on all published results.

    Raises:
        MultistageError: A claim cannot be applied.
    """
    evidence = gather(CLAIMS, results)
    return [judge(claim, evidence) for claim in CLAIMS]


def document(found: Sequence[Judged], published: Sequence[Record]) -> str:
    """Render the whole text."""
    evidence = PaperFigures(published).fill
    groups = grouped(found)
    return render("claims/claims.md", claims=found, groups=groups, published=published, long=LONG, evidence=evidence)


def grouped(found: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Group claims by their heading."""
    groups: dict[str, list[Judged]] = {}
    for judged in found:
        groups.setdefault(GROUPS[judged.claim.id.partition("-")[0]], []).append(judged)
    return groups


def command(folder: str) -> str:
    """Markdown: the command that runs the cells of a folder of results, or the table that has one for each run."""
    if folder in composition.names("experiment"):
        return f"`python train.py experiment={folder}`"
    return f"those in [{folder}/table.md]({folder}/table.md)"


def _summary(found: Sequence[Judged], published: Sequence[Record]) -> str:
    """Markdown: the table of verdicts."""
    lines = []
    for judged in found:
        link, verdict = f"[{judged.claim.id}](#{judged.claim.id})", f"**{wording.verdict(judged)}**"
        lines.append([link, judged.claim.claim, verdict, wording.headline(judged, published)])
    return rows(["", "claim", "verdict", "figure"], lines)


def _tests(results: Sequence[Result], published: Sequence[Record]) -> str:
    """Markdown: one line per test; a repeated description is shown once."""
    lines, before = [], ""
    for result in results:
        says, before = "" if result.test.says == before else result.test.says, result.test.says
        lines.append([says, wording.rule(result, published), wording.figure(result), wording.outcome(result)])
    return rows(["test", "is supported if", "measured", "outcome"], lines)


def families(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Group tests by description."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.test.says, []).append(result)
    return found


def tally(results: Sequence[Result]) -> str:
    """Count tests by outcome."""
    outcomes = [result.outcome for result in results]
    counts = [f"{outcomes.count(each)} {each}" for each in OUTCOMES if each in outcomes]
    return listed(counts).replace("no data", "without data")


def _commands(claim: Claim) -> str:
    folders = dict.fromkeys(wanted.folder for test in claim.tests for wanted in test.cells)
    return listed([*map(command, folders), *[f"`{LECTURE}`"] * any(test.numbers for test in claim.tests)])


def _missing(results: Sequence[Result], published: Sequence[Record]) -> str:
    """List missing runs by command; "" if none."""
    parts = _runs((wanted for result in results for wanted in result.missing), published)
    few = _runs((wanted for result in results for wanted in result.few), published)
    parts += [f"more draws of {each}" for each in few]
    if absent := [*dict.fromkeys(name for result in results for name in result.absent)]:
        parts.append(f"{listed(absent)} (`{LECTURE}`)")
    parts += dict.fromkeys(result.reason for result in results if result.reason)
    return "; ".join(parts)


def _runs(given: Iterable[Wanted], published: Sequence[Record]) -> list[str]:
    """List cells by row, with the command that runs them."""
    folders: dict[str, dict[str, list[str]]] = {}
    for wanted in dict.fromkeys(given):
        row, column = wanted.place(published)
        folders.setdefault(wanted.folder, {}).setdefault(row, []).append(column)
    return [f"{_named(cells)} ({command(folder)})" for folder, cells in folders.items()]


def _named(cells: Mapping[str, Sequence[str]]) -> str:
    if len(cells) > LONG:
        return count(sum(map(len, cells.values())), "cell")
    return "; ".join(f"{row}: {listed(columns)}" for row, columns in cells.items())


ENVIRONMENT.globals |= {"wording": wording}
ENVIRONMENT.filters |= {
    **{"tally": tally, "families": families, "tests": _tests, "summary": _summary},
    **{"commands": _commands, "missing": _missing},
}
