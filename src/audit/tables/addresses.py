"""Addresses of cells: the folder of results, and the row and column that a cell has in that folder's table.md."""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from audit.tables import layout
from audit.tables.layout import Table
from multistage.records.cells import Cell, cells
from multistage.records.files import from_file
from multistage.records.runs import Record

Address = tuple[str, str, str]
"""Folder of results, row, column."""

Cells = Mapping[Address, Cell]


def addresses(results: Path, published: list[Record]) -> Cells:
    """Every cell of every folder of results, row by row; two data sets' cells at one address are left out.

    Raises:
        MultistageError: Records that must not stand in one table.
    """
    files = sorted(results.glob("*/records.jsonl"))
    return of_tables({file.parent.name: layout.tables(cells(from_file(file), published), published) for file in files})


def of_tables(folders: Mapping[str, Sequence[Table]]) -> Cells:
    """`addresses`, of the tables of each folder where these are at hand."""
    placed = [
        ((name, protocol, architecture), cell)
        for name, tables in folders.items()
        for table in tables
        for protocol in table.protocols
        for architecture in table.architectures
        if (cell := table.cells.get((protocol, architecture)))
    ]
    taken = Counter(address for address, _ in placed)
    return {address: cell for address, cell in placed if taken[address] == 1}


def cell(address: Address, found: Cells) -> Cell:
    """The cell at an address.

    Raises:
        LookupError: There is none; what is said names the nearest ones.
    """
    if address not in found:
        similar = get_close_matches(" | ".join(address), [" | ".join(each) for each in found], n=3, cutoff=0.5)
        raise LookupError(f"names a cell that is not published; nearest: {'; '.join(similar) or 'none'}")
    return found[address]
