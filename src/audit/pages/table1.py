"""The paper's Table 1: its rows and columns, with our figures and the paper's."""

from collections.abc import Mapping
from statistics import fmean
from typing import NamedTuple

from audit.claims.cells import READOUTS, table1
from audit.tables.addresses import Found, find
from audit.tables.layout import STAGES
from audit.tables.results import Results
from audit.tables.tables import rows as markdown
from audit.tables.templates import render
from audit.tables.words import listed, machine, not_run
from multistage.records.cells import SIGNS, Cell
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

APART = 3.0
"""Difference of the two readouts, in points, above which their training accuracies are shown."""

ABSENT = not_run("table1")


class Place(NamedTuple):
    """One place of Table 1: the paper's figure, and our cell, None if it was not run."""

    paper: Record
    cell: Cell | None


Places = Mapping[tuple[str, str], Place]
"""Places by row and column, in the paper's order."""


def places(results: Results) -> Places:
    """Match the paper's 44 figures with our cells; frozen filters have a row for each classifier.

    Args:
        results: All published results; results/table1 may be empty or incomplete.

    Raises:
        MultistageError: Two tuned cells for one place.
    """
    places, found = {}, results.found
    for entry in (entry for entry in results.paper if entry["table"] == 1):
        readouts = (entry["readout"],) if "readout" in entry else ("",) if entry["refine"] else READOUTS
        for readout in readouts:
            row = ", ".join(filter(None, [entry["row"], readout]))
            places[row, entry["column"]] = Place(entry, _cell(row, entry, found))
    return places


def agreeing(found: Places) -> dict[str, str]:
    """How many figures agree, of how many, by each of `READOUTS`; rows of the other one are left out."""
    said = {}
    for readout in READOUTS:
        others = set(READOUTS) - {readout}
        cells = [place.cell for (row, _), place in found.items() if place.cell and row.partition(", ")[2] not in others]
        said[readout] = f"{sum(cell.mark != 'off' for cell in cells)} of {len(cells)}"
    return said


def page(results: Results) -> str:
    """Markdown: all `places`, and minutes per run.

    Args:
        results: As for `places`.

    Raises:
        MultistageError: As for `places`.
    """
    records, found = results.records("table1"), places(results)
    if not records:
        return ABSENT
    columns = tuple(dict.fromkeys(column for _, column in found))
    blocks = []
    for stages in (1, 2):  # the paper's
        lines = []
        for name in dict.fromkeys(row for (row, _), place in found.items() if place.paper["stages"] == stages):
            row = {column: found[name, column] for column in columns if (name, column) in found}
            values = [_entry(found, (name, column)) if column in row else "" for column in columns]
            seconds = [place.cell.seconds for place in row.values() if place.cell]
            lines.append([name, *values, f"{fmean(seconds) / 60:.1f}" if seconds else ""])
        blocks.append(markdown([STAGES[stages], *columns, "minutes"], lines))
    machines = listed(sorted({machine(record) for record in records}))
    return render("pages/table1.md", signs=SIGNS, machines=machines, blocks=blocks).strip()


def _cell(row: str, entry: Record, found: Found) -> Cell | None:
    """Find our cell for a place, possibly with settings that the paper does not specify; None if it was not run."""
    try:
        return find(table1(row, entry["model"]), found)
    except LookupError as error:
        several, _, _ = str(error.args[0]).partition(";")
        raise MultistageError(
            f"{row}, {entry['column']} of Table 1 {several}; publish all but one under another name, or drop "
            "them from records.jsonl"
        ) from None


def _entry(found: Places, at: tuple[str, str]) -> str:
    """Format one place."""
    paper, cell = found[at]
    if cell is None or cell.mark is None:
        return f"\N{EN DASH} / {paper['value']}"
    text = f"{cell.mean:.1f} / {paper['value']} {SIGNS[cell.mark]} ({cell.n})"
    row, _, readout = at[0].partition(", ")
    others = [found.get((f"{row}, {other}", at[1])) for other in READOUTS if readout in READOUTS]
    if any(other is not None and other.cell and abs(other.cell.mean - cell.mean) > APART for other in others):
        text += f"<br>training {cell.training:.0f}"
    return text
