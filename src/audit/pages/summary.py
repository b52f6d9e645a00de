"""README's answer: whether the paper holds up, which architecture is best, and how accurate it is today."""

from collections import Counter
from collections.abc import Mapping, Sequence

from audit.claims.verdicts import Judged, Verdict
from audit.pages import table1
from audit.tables.results import Results
from audit.tables.templates import render
from audit.tables.words import listed
from multistage.records.cells import Cell

WORDS = {"R_abs": "absolute value", "N": "local contrast normalisation", "P_A": "average pooling", "P_M": "max pooling"}
"""The paper's symbols."""

VERDICTS: dict[Verdict, str] = {
    "holds": "hold",
    "holds in part": "hold in part",
    "fails": "fail",
    "no data": "are undecided",
}
"""How several claims are said to have come out."""

RANDOM = "RR, sgd"
"""The row of random filters that are never trained, read by the authors' classifier."""


def summary(results: Results, claims: Sequence[Judged], top: Cell | None) -> str:
    """Markdown: three sentences and a table.

    Args:
        results: All that is published.
        claims: With their verdicts.
        top: The highest rung of the ladder, None if none was run.
    """
    found = table1.places(results)
    ours = {at: place.cell.mean for at, place in found.items() if place.cell}
    if not ours or top is None:
        return table1.ABSENT
    paper = {at: place.paper["value"] for at, place in found.items()}
    compared = [place.cell for (row, _), place in found.items() if place.cell and "lbfgs" not in row]
    best, best_there = (max(values, key=lambda at: values[at]) for values in (ours, paper))
    of_paper = [judged for judged in claims if judged.claim.id.startswith("paper")]
    verdicts = Counter(judged.verdict for judged in of_paper)
    return render(
        "pages/summary.md",
        verdicts=verdicts,
        failing=[judged.claim.id for judged in of_paper if judged.verdict == "fails"],
        said=listed([f"{verdicts[each]} {said}" for each, said in VERDICTS.items() if verdicts[each]]),
        words=listed([WORDS[symbol] for symbol in best[1].split("-")]),
        close=sum(cell.mark != "off" for cell in compared),
        compared=len(compared),
        best=best,
        best_there=best_there,
        here=_firsts(ours),
        there=_firsts(paper),
        random=RANDOM,
        paper=paper,
        cells={"best": found[best].cell, "random": found[RANDOM, best[1]].cell, "top": top},
    ).strip()


def _firsts(values: Mapping[tuple[str, str], float]) -> Counter[str]:
    """In how many rows that have all columns each column is first."""
    columns = {column for _, column in values}
    rows = {row: {column: value for (at, column), value in values.items() if at == row} for row, _ in values}
    return Counter(max(row, key=lambda column: row[column]) for row in rows.values() if row.keys() == columns)
