"""README's answer: whether the paper holds up, which architecture is best, and how accurate it is today."""

from collections.abc import Sequence

from audit.claims.verdicts import Judged
from audit.ladder.climb import Ladder
from audit.pages import answer, table1
from audit.tables.results import Results
from audit.tables.templates import render
from audit.tables.words import listed

RANDOM = "RR, sgd"
"""The row of random frozen filters with the authors' classifier."""


def summary(results: Results, claims: Sequence[Judged], ladder: Ladder) -> str:
    """Markdown: three sentences and a table, computed as in `answer`.

    Args:
        results: All published results.
        claims: Claims with verdicts.
        ladder: Results with later methods.
    """
    tables = answer.paper_tables(results)
    columns, (same, complete) = answer.columns(tables), answer.agreement(tables)
    if not columns or not complete or ladder.top is None:
        return table1.ABSENT
    best, found = columns[0], table1.places(results)
    of_paper = [judged for judged in claims if judged.claim.id.startswith("paper")]
    there = max(found, key=lambda at: found[at].paper["value"])
    return render(
        "pages/summary.md",
        holds_up=answer.holds_up(same, complete, of_paper),
        claims=len(of_paper),
        said=answer.tally(of_paper),
        failing=[judged.claim.id for judged in of_paper if judged.verdict == "fails"],
        best=best,
        words=listed(best.words.split(", ")),
        row=best.row,
        there=there,
        highest=found[there].paper["value"],
        agreeing=table1.agreeing(found),
        same=same,
        complete=complete,
        random=found[RANDOM, best.symbol],
        random_row=RANDOM,
        top=ladder.top.some,
    ).strip()
