"""Addresses of cells: the folder of results, and the row and column that a cell has in that folder's table.md."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from multistage.report import layout
from multistage.report.cells import Cell, cells
from multistage.report.records import from_file
from multistage.runs import Record

Address = tuple[str, str, str]
"""Folder of results, row, column."""

Cells = Mapping[Address, Cell]


def addresses(results: Path, published: list[Record]) -> Cells:
    """Every cell of every folder of results.

    Raises:
        MultistageError: Records that must not stand in one table.
    """
    return {
        (file.parent.name, *place): cell
        for file in sorted(results.glob("*/records.jsonl"))
        for table in layout.tables(cells(from_file(file), published), published)
        for place, cell in table.cells.items()
    }


def cell(address: Address, found: Cells) -> Cell:
    """The cell at an address.

    Raises:
        LookupError: There is none; what is said names the nearest ones.
    """
    if address not in found:
        known = {" | ".join(each): each for each in found}
        similar = get_close_matches(" | ".join(address), known, n=3, cutoff=0.5)
        raise LookupError(f"names a cell that is not published; nearest: {'; '.join(similar) or 'none'}")
    return found[address]
