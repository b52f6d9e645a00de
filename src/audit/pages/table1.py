"""README's form of the paper's Table 1: its rows, its columns, ours beside the paper's."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from audit.tables import layout
from audit.tables.tables import rows as markdown
from audit.tables.words import listed, machine
from multistage.records.cells import SIGNS, Cell, cells
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

START, END = "<!-- table 1: python scripts/report.py -->", "<!-- end of table 1 -->"

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


def readme(records: Sequence[Record], published: Sequence[Record]) -> str:
    """Markdown: the paper's 44 places, a row for each classifier of frozen filters, minutes a run.

    Args:
        records: Of results/table1; none, or some of its runs.
        published: The paper's figures.

    Raises:
        MultistageError: Records that must not stand in one table, or two tuned cells for one place.
    """
    if not records:
        return ABSENT
    own = [cell for cell in cells(records, published) if layout.only_tuned(cell)]
    tables = [table for table in layout.tables(own, published) if table.as_in_paper]
    places = {place: cell for table in tables for place, cell in table.cells.items()}
    _refuse_rivals(places)
    table1 = [entry for entry in published if entry["table"] == 1]
    columns = tuple(dict.fromkeys(entry["column"] for entry in table1))
    blocks = []
    for stages in (1, 2):  # the paper's
        title = layout.STAGES[stages]
        lines = []
        for name, entries in _rows([entry for entry in table1 if entry["stages"] == stages]).items():
            values = [_entry(places, name, column, entries.get(column)) for column in columns]
            seconds = [found.seconds for column in columns if (found := places.get((name, column)))]
            lines.append([name, *values, f"{fmean(seconds) / 60:.1f}" if seconds else ""])
        blocks.append(markdown([title, *columns, "minutes"], lines))
    legend = LEGEND.format(
        **{mark.partition(" ")[0]: sign for mark, sign in SIGNS.items()},
        machines=listed(sorted({machine(record) for record in records})),
    )
    return "\n\n".join([legend, *blocks])


def _refuse_rivals(places: Mapping[tuple[str, str], Cell]) -> None:
    """Raise if cells differ in tuned settings only and none has the defaults, so that none is the row's own."""
    rivals: dict[tuple[str, str], Cell] = {}
    for (row, column), cell in places.items():
        place = layout.protocol(cell, overrides=False), column
        if row != place[0] and place not in places:
            other = rivals.setdefault(place, cell)
            if other is not cell:
                raise MultistageError(
                    f"{other.title} and {cell.title} both want the place {place[0]}, {column} of README's Table 1; "
                    "publish one of them under another name, or drop it from records.jsonl"
                )


def _rows(table1: Sequence[Record]) -> dict[str, dict[str, Record]]:
    """The rows of README in the paper's order, and the paper's figure for each column."""
    found: dict[str, dict[str, Record]] = {}
    for entry in table1:
        readouts = (entry["readout"],) if "readout" in entry else ("",) if entry["refine"] else READOUTS
        for readout in readouts:
            found.setdefault(", ".join(filter(None, [entry["row"], readout])), {})[entry["column"]] = entry
    return found


def _entry(places: Mapping[tuple[str, str], Cell], name: str, column: str, paper: Record | None) -> str:
    """What stands in one place of README."""
    cell = places.get((name, column))
    if paper is None:
        return ""
    if cell is None or cell.mark is None:
        return f"\N{EN DASH} / {paper['value']}"
    text = f"{cell.mean:.1f} / {paper['value']} {SIGNS[cell.mark]} ({cell.n})"
    row, _, readout = name.partition(", ")
    others = [places.get((f"{row}, {other}", column)) for other in READOUTS if readout in READOUTS]
    if any(other is not None and abs(other.mean - cell.mean) > APART for other in others):
        text += f"<br>training {cell.training:.0f}"
    return text
