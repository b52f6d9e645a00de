"""README's answer: whether the paper holds up, which architecture is best, and how accurate it is today."""

from collections.abc import Sequence

from audit.claims import ledger
from audit.claims.verdicts import Judged
from audit.ladder.climb import Ladder
from audit.pages import table1
from audit.pages.answer import Answer, tally
from audit.tables.results import Results
from audit.tables.templates import render
from audit.tables.words import listed, not_run

RANDOM = "RR, sgd"
"""The row of random frozen filters with the authors' classifier."""


def summary(results: Results, claims: Sequence[Judged], ladder: Ladder) -> str:
    """Markdown: three sentences and a table, computed by `Answer`.

    Args:
        results: All published results.
        claims: Claims with verdicts.
        ladder: Results with later methods.
    """
    answer = Answer(results, claims)
    if not answer.columns or not answer.rows:
        return table1.ABSENT
    best, found = answer.columns[0], table1.places(results)
    failing = [judged.claim.id for judged in answer.claims if judged.verdict == "fails"]
    links = ", ".join(f"[{each}](results/claims.md#{each})" for each in failing)
    there = max(found, key=lambda at: found[at].paper["value"])
    return render(
        "pages/summary.md",
        answer=answer,
        said=tally(answer.claims, failing=f" ({links})"),
        tests=ledger.tally([result for judged in answer.claims for result in judged.results]),
        best=best,
        words=listed(best.words.split(", ")),
        row=best.row,
        there=there,
        highest=found[there].paper["value"],
        agreeing=table1.agreeing(found),
        random=found[RANDOM, best.symbol],
        random_row=RANDOM,
        top=ladder.top.some if ladder.top else None,
        not_run=not_run("ladder"),
    ).strip()
