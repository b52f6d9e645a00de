"""The answer: does the paper hold up, which architecture is best, and how far do later methods get?

All figures are computed from records, claims and the ladder, by `RULE` and as stated in `Answer`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audit.claims.verdicts import Judged, Verdict, deciding
from audit.ladder.climb import Step
from audit.tables.layout import Table
from audit.tables.results import Results
from audit.tables.words import listed
from multistage.records.cells import Cell, paired, pairs
from multistage.records.intervals import Measured

OPERATIONS = {
    "R_abs": "absolute value",
    "N": "local contrast normalisation",
    "P_A": "average pooling",
    "P_M": "max pooling",
}
"""Meaning of the letters of the paper's architectures."""

ALONE = 3.0
"""Half width in points that decides for a single run, as in most rules of claims."""

NOT_RUN = "No row of Table 1 has all five architectures yet; `python train.py experiment=table1` runs them."
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


def _columns(tables: Sequence[Table]) -> list[Column]:
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


def _leads(table: Table, protocol: str) -> list[Measured] | None:
    """Compare the paper's best architecture of a row with each other one here; None if the row is not comparable."""
    paper = {symbol: float(e["value"]) for (row, symbol), e in table.paper.items() if row == protocol}
    ours = {symbol: table.cells[protocol, symbol] for symbol in paper if (protocol, symbol) in table.cells}
    if len(paper) < 2 or ours.keys() != paper.keys():
        return None
    best = ours.pop(max(paper, key=lambda symbol: paper[symbol]))
    return [paired(best, other) for other in ours.values()] if all(pairs(best, one) for one in ours.values()) else None


def _is_beyond_chance(lead: Measured) -> bool:
    """Whether the interval that decides is above zero."""
    return deciding(lead.value, lead.interval, lead.n, ALONE)[0] > 0


def verdicts(claims: Sequence[Judged]) -> dict[Verdict, int]:
    """Count claims by verdict, without verdicts that no claim has."""
    found = [judged.verdict for judged in claims]
    return {verdict: found.count(verdict) for verdict in COUNTED if verdict in found}


def tally(claims: Sequence[Judged], failing: str = "") -> str:
    """Write the tally in words, such as 8 hold in full, 11 hold in part and 2 fail; after these stands `failing`."""
    after = {"fails": failing}
    return listed([f"{n} {COUNTED[verdict]}{after.get(verdict, '')}" for verdict, n in verdicts(claims).items()])


RULE = (
    "The paper holds up if its best architecture is best here in every row of Table 1 and every claim holds. "
    "It mostly holds up if both are so for more than half, counting claims that hold in part. "
    "Otherwise it does not hold up. "
    "Rows count if all five architectures were run; frozen filters have a row for each classifier."
)
"""The rule that `Answer.holds_up` applies, in words."""


class Answer:
    """What records and claims say of the paper.

    Args:
        results: All published results.
        claims: All judged claims.

    Attributes:
        columns: Every architecture of Table 1 in its best row, best first.
        rows: Number of comparable rows of Table 1: all of the paper's architectures were run, and there are several.
        same: Number of those in which the paper's best architecture is best here too, on the draws that both have.
        beyond: Number of those in which it is better than every other beyond chance.
        claims: The claims by its authors.
    """

    def __init__(self, results: Results, claims: Sequence[Judged]) -> None:
        experiment = results.experiments.get("table1")
        tables = [table for table in experiment.tables if table.as_in_paper] if experiment else []
        leads = [_leads(table, protocol) for table in tables for protocol in table.protocols]
        known = [each for each in leads if each is not None]
        self.columns, self.rows = _columns(tables), len(known)
        self.same = sum(all(lead.value > 0 for lead in each) for each in known)
        self.beyond = sum(all(map(_is_beyond_chance, each)) for each in known)
        self.claims = [judged for judged in claims if judged.claim.id.startswith("paper")]

    @property
    def holds_up(self) -> str:
        """Apply `RULE`: does the paper hold up?"""
        found = verdicts(self.claims)
        holding = found.get("holds", 0) + found.get("holds in part", 0)
        if self.same == self.rows and found.get("holds", 0) == len(self.claims):
            return "holds up"
        mostly = 2 * self.same > self.rows and 2 * holding > len(self.claims)
        return "mostly holds up" if mostly else "does not hold up"

    def sentences(self, later: Step | None) -> Iterator[str]:
        """Write two sentences: whether the paper holds up; which architecture is best, and how accurate it is.

        Args:
            later: The highest rung of the ladder that was run.
        """
        if not self.columns or not self.rows:
            yield NOT_RUN
            return
        yield (
            f"The paper {self.holds_up}: its best architecture is best here in {self.same} of {self.rows} rows of "
            f"Table 1, in {self.beyond} beyond chance; "
            f"of {len(self.claims)} claims by its authors, {tally(self.claims)}."
        )
        best, space = self.columns[0], "\N{NO-BREAK SPACE}"
        beyond = f", and {later.some.mean:.1f}{space}% with later methods" if later and later.some else ""
        yield (
            f"Best of its five is {best.words or best.symbol}: up to {best.cell.mean:.1f}{space}% on Caltech-101 "
            f"(the paper: {best.paper}{space}%){beyond}."
        )
