"""README's form of the paper's Table 1: its rows, its columns, ours beside the paper's."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from audit.claims.cells import READOUTS, table1
from audit.tables.addresses import Found, find
from audit.tables.layout import STAGES
from audit.tables.results import Results
from audit.tables.tables import rows as markdown
from audit.tables.templates import render
from audit.tables.words import listed, machine
from multistage.records.cells import SIGNS, Cell
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

APART = 3.0
"""Points; where the two readouts differ by more, their training accuracies are shown."""

ABSENT = "Not run yet; `python train.py experiment=table1` runs it, and the same command again goes on."


def readme(results: Results) -> str:
    """Markdown: the paper's 44 places, a row for each classifier of frozen filters, minutes a run.

    Args:
        results: All that is published, of results/table1 perhaps nothing yet, or some of its runs.

    Raises:
        MultistageError: Two tuned cells for one place.
    """
    records, found = results.records("table1"), results.found
    if not records:
        return ABSENT
    rows = _rows([entry for entry in results.paper if entry["table"] == 1])
    cells = {(name, column): _cell(name, entry, found) for name, row in rows.items() for column, entry in row.items()}
    columns = tuple(dict.fromkeys(column for _, column in cells))
    blocks = []
    for stages in (1, 2):  # the paper's
        lines = []
        for name, row in rows.items():
            if any(entry["stages"] == stages for entry in row.values()):
                values = [_entry(cells, (name, column), row[column]) if column in row else "" for column in columns]
                seconds = [cell.seconds for column in row if (cell := cells[name, column])]
                lines.append([name, *values, f"{fmean(seconds) / 60:.1f}" if seconds else ""])
        blocks.append(markdown([STAGES[stages], *columns, "minutes"], lines))
    machines = listed(sorted({machine(record) for record in records}))
    return render("pages/table1.md", signs=SIGNS, machines=machines, blocks=blocks).strip()


def _rows(entries: Sequence[Record]) -> dict[str, dict[str, Record]]:
    """The rows of README in the paper's order, and the paper's figure for each column."""
    found: dict[str, dict[str, Record]] = {}
    for entry in entries:
        readouts = (entry["readout"],) if "readout" in entry else ("",) if entry["refine"] else READOUTS
        for readout in readouts:
            found.setdefault(", ".join(filter(None, [entry["row"], readout])), {})[entry["column"]] = entry
    return found


def _cell(row: str, entry: Record, found: Found) -> Cell | None:
    """Ours for a place, perhaps with settings that the paper leaves to be chosen; None if it was not run."""
    try:
        return find(table1(row, entry["model"]), found)
    except LookupError as error:
        several, _, _ = str(error.args[0]).partition(";")
        raise MultistageError(
            f"{row}, {entry['column']} of README's Table 1 {several}; publish all but one under another name, or drop "
            "them from records.jsonl"
        ) from None


def _entry(cells: Mapping[tuple[str, str], Cell | None], place: tuple[str, str], paper: Record) -> str:
    """What stands in one place of README."""
    cell = cells[place]
    if cell is None or cell.mark is None:
        return f"\N{EN DASH} / {paper['value']}"
    text = f"{cell.mean:.1f} / {paper['value']} {SIGNS[cell.mark]} ({cell.n})"
    row, _, readout = place[0].partition(", ")
    others = [cells.get((f"{row}, {other}", place[1])) for other in READOUTS if readout in READOUTS]
    if any(other is not None and abs(other.mean - cell.mean) > APART for other in others):
        text += f"<br>training {cell.training:.0f}"
    return text
