"""What is published, read once: each folder of results with its records, their cells, and where these stand."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from audit.tables.addresses import Found
from audit.tables.layout import tables
from multistage.records.cells import Cell, Key, cells, distinct, draw
from multistage.records.files import from_file
from multistage.records.paper import published
from multistage.records.runs import Record

RECORDS = "records.jsonl"


class Experiment:
    """A folder of results.

    Args:
        folder: ``results/<name>``.
        records: Of its runs.
        paper: The paper's figures.

    Raises:
        MultistageError: Records that must not stand in one table.
    """

    def __init__(self, folder: Path, records: Sequence[Record], paper: Sequence[Record]) -> None:
        self.folder, self.name, self.records, self.paper = folder, folder.name, records, paper
        self.cells = cells(records, paper)
        self.tables = tables(self.cells, paper)


class Results:
    """Every folder of results, by name, and the paper's figures.

    Args:
        root: Holds ``paper.yaml`` and the folders.

    Raises:
        MultistageError: Records that must not stand in one table.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.paper = root, published(root / "paper.yaml")
        self.experiments = {
            file.parent.name: Experiment(file.parent, from_file(file), self.paper)
            for file in sorted(root.glob(f"*/{RECORDS}"))
        }

    def records(self, name: str) -> Sequence[Record]:
        """Of a folder; none if there is no such folder."""
        return self.experiments[name].records if name in self.experiments else ()

    @property
    def found(self) -> Found:
        """Every cell, by folder, row by row."""
        return {
            name: [place for table in experiment.tables for place in table.places()]
            for name, experiment in self.experiments.items()
        }

    @cached_property
    def joined(self) -> Found:
        """Every cell as in `found`, with the runs of equal settings from all folders: one for each draw and seed."""
        everywhere: dict[Key, list[Cell]] = {}
        for experiment in self.experiments.values():
            for cell in experiment.cells:
                everywhere.setdefault(_without_preset(cell), []).append(cell)
        return {
            name: [
                placed._replace(cell=_joined(placed.cell, everywhere[_without_preset(placed.cell)]))
                for placed in places
            ]
            for name, places in self.found.items()
        }


def _without_preset(cell: Cell) -> Key:
    """Return the settings of a cell without its preset's name: its operations are settings of their own."""
    return tuple((name, value) for name, value in cell.key if name != "model")


def _joined(cell: Cell, equal: Iterable[Cell]) -> Cell:
    """Add the runs of equal cells on other draws, of the same images and version; a run of its own folder stays."""
    own = _content(cell.records[0])
    found = [record for each in equal for record in each.records if _content(record) == own]
    runs = {draw(record): record for record in (*found, *cell.records)}
    if len(runs) == cell.n:
        return cell
    return replace(cell, records=distinct([runs[one] for one in sorted(runs)]))


def _content(record: Record) -> tuple[object, object]:
    """Return what runs of different draws must share to be averaged, besides their settings."""
    return record["data_hash"], record["results_version"]
