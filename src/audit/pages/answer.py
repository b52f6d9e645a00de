"""The answer: does the paper hold up, which architecture is best, and how far do later methods get?

All figures are computed from records, claims and the ladder, by `RULE` and as stated in `columns`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audit.claims.verdicts import Judged, Verdict
from audit.ladder.climb import Ladder
from audit.tables.layout import Table
from audit.tables.results import Results
from audit.tables.words import listed
from multistage.records.cells import Cell

OPERATIONS = {
    "R_abs": "absolute value",
    "N": "local contrast normalisation",
    "P_A": "average pooling",
    "P_M": "max pooling",
}
"""Meaning of the letters of the paper's architectures."""

NOT_RUN = "Table 1 of the paper was not run yet; `python train.py experiment=table1` runs it."
COUNTED: dict[Verdict, str] = {
    "holds": "hold in full",
    "holds in part": "hold in part",
    "fails": "fail",
    "no data": "lack data",
}


@dataclass(frozen=True)
class Column:
    """An architecture of Table 1 in its best row.

    Attributes:
        symbol: The paper's symbol.
        row: The row of `cell`.
        cell: The most accurate cell here, over all rows.
        paper_row: The row of `paper`, as the paper names it.
        paper: The paper's highest figure over the same rows, in %.
    """

    symbol: str
    row: str
    cell: Cell
    paper_row: str
    paper: float

    @property
    def words(self) -> str:
        """Return its operations in words."""
        return operations(self.symbol)


def operations(symbol: str) -> str:
    """Describe the operations of an architecture, "" if a letter is not the paper's."""
    letters = symbol.split("-")
    return ", ".join(OPERATIONS[letter] for letter in letters) if OPERATIONS.keys() >= set(letters) else ""


def paper_tables(results: Results) -> list[Table]:
    """Return the blocks of Table 1 that were run."""
    experiment = results.experiments.get("table1")
    return [table for table in experiment.tables if table.as_in_paper] if experiment else []


def columns(tables: Sequence[Table]) -> list[Column]:
    """Return every architecture in its best row, best first: our highest mean and the paper's highest figure."""
    cells: dict[str, dict[str, Cell]] = {}
    for table in tables:
        for (row, symbol), cell in table.cells.items():
            if cell.paper is not None:
                cells.setdefault(symbol, {})[row] = cell
    found = []
    for symbol, by_row in cells.items():
        row = max(by_row, key=lambda name: by_row[name].mean)
        paper = max((cell.paper for cell in by_row.values() if cell.paper), key=lambda entry: float(entry["value"]))
        found.append(Column(symbol, row, by_row[row], paper["row"], float(paper["value"])))
    return sorted(found, key=lambda column: -column.cell.mean)


def agreement(tables: Sequence[Table]) -> tuple[int, int]:
    """Count the rows of Table 1 in which the paper's best architecture is best here too, and all comparable rows.

    A row is comparable if all of the paper's architectures in it were run, and there is more than one.
    """
    same = [_best_is_ours(table, protocol) for table in tables for protocol in table.protocols]
    known = [each for each in same if each is not None]
    return sum(known), len(known)


def _best_is_ours(table: Table, protocol: str) -> bool | None:
    paper = {symbol: float(e["value"]) for (row, symbol), e in table.paper.items() if row == protocol}
    ours = {symbol: table.cells[protocol, symbol].mean for symbol in paper if (protocol, symbol) in table.cells}
    if len(paper) < 2 or ours.keys() != paper.keys():
        return None
    return max(ours, key=lambda symbol: ours[symbol]) == max(paper, key=lambda symbol: paper[symbol])


def verdicts(claims: Sequence[Judged]) -> dict[Verdict, int]:
    """Count claims by verdict, without verdicts that no claim has."""
    found = [judged.verdict for judged in claims]
    return {verdict: found.count(verdict) for verdict in COUNTED if verdict in found}


def tally(claims: Sequence[Judged]) -> str:
    """Write the tally in words, such as 8 hold in full, 11 hold in part and 2 fail."""
    return listed([f"{number} {COUNTED[verdict]}" for verdict, number in verdicts(claims).items()])


RULE = (
    "The paper holds up if its best architecture is best here in every row of Table 1 and every claim holds. "
    "It mostly holds up if both are so for more than half, counting claims that hold in part. "
    "Otherwise it does not hold up. "
    "Rows count if all five architectures were run; frozen filters have a row for each classifier."
)
"""The rule that `holds_up` applies, in words."""


def holds_up(same: int, rows: int, claims: Sequence[Judged]) -> str:
    """Apply `RULE`: does the paper hold up?"""
    found = verdicts(claims)
    holding = found.get("holds", 0) + found.get("holds in part", 0)
    if same == rows and found.get("holds", 0) == len(claims):
        return "holds up"
    return "mostly holds up" if 2 * same > rows and 2 * holding > len(claims) else "does not hold up"


def sentences(results: Results, claims: Sequence[Judged], ladder: Ladder) -> Iterator[str]:
    """Write two sentences: whether the paper holds up; which architecture is best, and how accurate it is.

    Args:
        results: All published results.
        claims: All judged claims.
        ladder: Results with later methods.
    """
    tables = paper_tables(results)
    found, (same, rows) = columns(tables), agreement(tables)
    if not found or not rows:
        yield NOT_RUN
        return
    of_paper = [judged for judged in claims if judged.claim.id.startswith("paper")]
    yield (
        f"The paper {holds_up(same, rows, of_paper)}: its best architecture is best here in {same} of {rows} rows of "
        f"Table 1; of {len(of_paper)} claims by its authors, {tally(of_paper)}."
    )
    best, later, space = found[0], ladder.top, "\N{NO-BREAK SPACE}"
    beyond = f", and {later.some.mean:.1f}{space}% with later methods" if later and later.some else ""
    yield (
        f"Best is {best.words or best.symbol}: up to {best.cell.mean:.1f}{space}% on Caltech-101 "
        f"(the paper: {best.paper}{space}%){beyond}."
    )
