"""README's form of the paper's Table 1: its rows, its columns, ours beside the paper's."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from audit.tables.addresses import Folder, Found, find
from audit.tables.layout import STAGES
from audit.tables.results import Results
from audit.tables.tables import rows as markdown
from audit.tables.words import listed, machine
from multistage.records.cells import SIGNS, Cell
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

TABLE1 = Folder("table1")

READOUTS = ("sgd", "lbfgs")
"""Of frozen filters: the authors' demo, and converged."""

APART = 3.0
"""Points; where the two readouts differ by more, their training accuracies are shown."""

ABSENT = "Not run yet; `python train.py experiment=table1` runs it, and the same command again goes on."

LEGEND = """\
Columns, the operations in order: R_abs rectification, N contrast normalisation, P_A average or P_M max pooling. Rows,
one letter a stage: R random filters, U learned without labels, G Gabor filters, T templates; + where labels then train
everything.

Ours / the paper's, accuracy in %, mean over classes and runs (number of runs): {inside} the paper's figure lies in our
95 % interval of three runs or more, {within} within three points of our mean, {off} further off; –: not run. Frozen
filters (no +) with two classifiers: `sgd`, the authors' demo, and `lbfgs`, converged; *training*, the accuracy on
training images, where the two differ by more than three points. Minutes: of one run, on {machines}; filters that are
learned and features that both classifiers read are made by whichever runs first, whose minutes they are.
Details: [results/table1/table.md](results/table1/table.md)."""


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
    legend = LEGEND.format(
        **{mark.partition(" ")[0]: sign for mark, sign in SIGNS.items()},
        machines=listed(sorted({machine(record) for record in records})),
    )
    return "\n\n".join([legend, *blocks])


def _rows(table1: Sequence[Record]) -> dict[str, dict[str, Record]]:
    """The rows of README in the paper's order, and the paper's figure for each column."""
    found: dict[str, dict[str, Record]] = {}
    for entry in table1:
        readouts = (entry["readout"],) if "readout" in entry else ("",) if entry["refine"] else READOUTS
        for readout in readouts:
            found.setdefault(", ".join(filter(None, [entry["row"], readout])), {})[entry["column"]] = entry
    return found


def _cell(row: str, entry: Record, found: Found) -> Cell | None:
    """Ours for a place, perhaps with settings that the paper leaves to be chosen; None if it was not run."""
    try:
        return find(TABLE1(row, entry["model"]), found)
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
