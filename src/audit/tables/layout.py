"""The layout of cells: the paper's Table 1 for Caltech-101, a table of presets for every other data set, curves.

Cells that differ in the number of labels a class are the points of a curve, as in the paper's Fig. 3.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from multistage.data import data_sets
from multistage.records.cells import Cell, typed
from multistage.records.paper import LINEAR, letters, matching
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.registry.words import key_of
from multistage.settings.tree import Config, parse

NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine")
STAGES = {1: "one stage", **{number: f"{word} stages" for number, word in enumerate(NUMBERS, 2)}}

LABELS, EPOCHS = "data.train_per_class", "trainer.max_epochs"
"""Settings that differ between points of a curve: labels a class, and the epochs that go with them."""

TUNED = ("optimizer", "schedule", "trainer", "lbfgs", "psd", "pyramid_svm")
"""Settings that the paper leaves open; a cell of Table 1 keeps its place for any value."""


COLUMN = ("model.", "contrast_norm.")
"""Beginnings of the keys that tell the paper's columns apart."""

MOST = 100
"""Maximum number of cells of a folder that are compared and drawn; tables have all."""


class Placed(NamedTuple):
    """A cell, with its row and column in its folder's table.md."""

    row: str
    column: str
    cell: Cell


@dataclass(frozen=True, eq=False)
class Table:
    """One block of results.

    Args:
        title: Title above the table.
        as_in_paper: Whether protocols are rows and architectures columns with the paper's symbols, as for all of
            Caltech-101; otherwise transposed.
        protocols: Training protocols, top to bottom or left to right.
        architectures: The paper's symbols, or names of presets.
        cells: By protocol and architecture; some may be missing.
        paper: The paper's figures for the same places, whether or not they were run here.
        against_labels: Whether it is a curve: protocols are its lines, architectures numbers of labels a class.
    """

    title: str
    as_in_paper: bool
    protocols: tuple[str, ...]
    architectures: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    paper: Mapping[tuple[str, str], Record]
    against_labels: bool = False

    def places(self) -> Iterator[Placed]:
        """Return the cells, protocol by protocol."""
        for protocol in self.protocols:
            for architecture in self.architectures:
                if found := self.cells.get((protocol, architecture)):
                    yield Placed(protocol, architecture, found)

    def only(self, chosen: Iterable[Cell]) -> "Table":
        """Return the table with only these cells, without empty rows or columns; unchanged if it has no others."""
        chosen = set(chosen)
        left = {place: cell for place, cell in self.cells.items() if cell in chosen}
        if len(left) == len(self.cells):
            return self
        protocols, architectures = map(set, zip(*left, strict=True)) if left else (set(), set())
        return replace(
            self,
            protocols=tuple(name for name in self.protocols if name in protocols),
            architectures=tuple(name for name in self.architectures if name in architectures),
            cells=left,
        )


def foremost(cells: Sequence[Cell], most: int = MOST, by_accuracy: bool = False) -> list[Cell]:
    """Return at most `most` cells, in their order: those of the paper, then those with the fewest typed settings.

    Args:
        cells: Cells.
        most: Number of cells.
        by_accuracy: Take the most accurate ones instead of those with the fewest typed settings.
    """
    ranked = sorted(cells, key=lambda cell: (cell.paper is None, -cell.mean if by_accuracy else len(further(cell))))
    chosen = set(ranked[:most])
    return [cell for cell in cells if cell in chosen]


def tables(cells: Sequence[Cell], published: Sequence[Record]) -> list[Table]:
    """Lay cells out: Caltech-101 by number of stages, then every other data set by itself, then curves; empty rows are
    left out.

    Raises:
        MultistageError: Two cells for one place.
    """
    table1 = [entry for entry in published if entry["table"] == 1]
    found = []
    lines = curves(cells)
    points = {point for line in lines for point in line}
    rest = [cell for cell in cells if cell not in points]
    for stages, words in STAGES.items():
        if of_paper := [c for c in rest if c.config["data"] == "caltech101" and c.config["stages"] == stages]:
            entries = [entry for entry in table1 if entry["stages"] == stages]
            found.append(_table(f"caltech101, {words}", of_paper, entries, table1))
    for data in data_sets:
        if others := [c for c in rest if c.config["data"] == data != "caltech101"]:
            found.append(_table(data, others, [], table1))
    for data in data_sets:
        if of_data := [line for line in lines if line[0].config["data"] == data]:
            found.append(_against_labels(f"{data}: labels a class", of_data, published))
    return found


def curves(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Find the lines of curves: cells that differ only in labels a class and their epochs, fewest labels first.

    Two cells with the same number of labels are not a line.
    """
    lines: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        if cell.config.get(LABELS) is not None:
            lines.setdefault(tuple(item for item in cell.key if item[0] not in (LABELS, EPOCHS)), []).append(cell)
    found = [sorted(line, key=lambda cell: int(cell.config[LABELS])) for line in lines.values()]
    return [line for line in found if len({cell.config[LABELS] for cell in line}) == len(line) > 1]


def symbol(model: str, published: Sequence[Record]) -> str:
    """Return the paper's symbol of a preset, or its name if the paper's tables do not have it."""
    return next((entry["column"] for entry in published if entry["model"] == model), model)


def operations(cell: Cell) -> dict[str, str]:
    """Return the names of its operations as rectify, normalise and pool; of each stage where stages differ."""
    stages = parse(cell.records[0]["config"]).operations
    names = {slot: [getattr(stage, slot).name for stage in stages] for slot in ("rectify", "normalise", "pool")}
    return {slot: found[0] if len(set(found)) == 1 else "; ".join(found) for slot, found in names.items()}


def architecture(cell: Cell, done: Mapping[str, str], published: Sequence[Record]) -> str:
    """Return the paper's symbol for the operations of a cell, whatever its preset; "" if it has none.

    Args:
        cell: The cell.
        done: Its operations, from `operations`.
        published: The paper's figures.
    """
    config = {**cell.config, **{f"model.{slot}": name for slot, name in done.items()}}
    for entry in published:
        if all(config.get(key) == value for key, value in entry.items() if key.startswith(COLUMN)):
            return str(entry["column"])
    return ""


def protocol(cell: Cell) -> str:
    """What learns, from what (in letters for Caltech-101, in words for other data sets), and what else was typed."""
    return ", ".join(filter(None, [row_name(cell.config), " ".join(typed(cell.records[0]))]))


def row_name(config: Config) -> str:
    """Describe the training protocol."""
    if config["data"] == "caltech101":
        words = [letters(config)]
    else:
        words = ["refined" if config["refine"] else "frozen"]
        words += [] if config["stages"] == 2 else [STAGES[config["stages"]]]
        words += [] if config["filters"] == "random" else [config["filters"]]
    words += [] if config["refine"] else [config["readout"]]
    return ", ".join(filter(None, words))


def line_names(lines: Sequence[Sequence[Cell]], published: Sequence[Record]) -> list[str]:
    """Name the lines of curves: architecture, letters, readout of frozen filters, what else was typed for all points.

    Tuned settings are not named if only one line has the place, as in the paper's table.
    """
    short, full = [], []
    for cell, *_ in lines:
        name = line_name(cell.config, published)
        shared = " ".join(word for word in typed(cell.records[0]) if key_of(word) not in (LABELS, EPOCHS))
        full.append(", ".join(filter(None, [name, shared])))
        short.append(name if only_tuned(cell, LABELS) else full[-1])
    taken = Counter(short)
    return [name if taken[name] == 1 else other for name, other in zip(short, full, strict=True)]


def line_name(config: Config, published: Sequence[Record]) -> str:
    """Name a line of a curve, without further settings."""
    words = [symbol(config["model"], published), letters(config), "" if config["refine"] else config["readout"]]
    return ", ".join(filter(None, words))


def _against_labels(title: str, lines: Sequence[Sequence[Cell]], published: Sequence[Record]) -> Table:
    """Make one curve, with ours and the paper's points, including those that were not run."""
    places: dict[tuple[str, str], Cell] = {}
    paper: dict[tuple[str, str], Record] = {}
    for line, name in zip(lines, line_names(lines, published), strict=True):
        for cell in line:
            _put(places, (name, str(cell.config[LABELS])), cell)
        for entry in published:
            labels = entry.get(LABELS)
            if labels is not None and matching([entry], {**line[0].config, LABELS: labels}):
                paper[name, str(labels)] = entry
    sizes = sorted({size for _, size in (*places, *paper)}, key=int)
    return Table(title, False, tuple(dict.fromkeys(name for name, _ in places)), tuple(sizes), places, paper, True)


def _put(places: dict[tuple[str, str], Cell], place: tuple[str, str], cell: Cell) -> None:
    if places.setdefault(place, cell) is not cell:
        raise MultistageError(f"{places[place].title} and {cell.title} belong into one place of the table")


def _rows(cells: Sequence[Cell], as_in_paper: bool) -> dict[Cell, str]:
    """Return the row of each cell.

    The paper's table does not name tuned settings if only one cell has the place and no other settings in the table
    need to be distinguished.
    """
    full = {cell: protocol(cell) for cell in cells}
    if not as_in_paper or not all(map(only_tuned, cells)):
        return full
    short = {cell: row_name(cell.config) for cell in cells}
    taken = Counter((short[cell], cell.config["model"]) for cell in cells)
    return {cell: short[cell] if taken[short[cell], cell.config["model"]] == 1 else full[cell] for cell in cells}


def only_tuned(cell: Cell, *besides: str) -> bool:
    """Whether all typed settings, except `besides` and those that name a run, are left open by the paper."""
    return all(key in besides or key.partition(".")[0] in TUNED for key in further(cell))


def further(cell: Cell) -> list[str]:
    """Return the keys that were typed for a cell's runs, except those that name a run."""
    return [key_of(word) for word in typed(cell.records[0])]


def _table(title: str, cells: Sequence[Cell], entries: Sequence[Record], table1: Sequence[Record]) -> Table:
    """Make one block; `entries` are the paper's figures for it, none if the paper's table has no such block."""
    as_in_paper = cells[0].config["data"] == "caltech101"
    rows = list(dict.fromkeys(entry["row"] for entry in entries))
    used = {cell.config["model"] for cell in cells}
    of_paper = dict.fromkeys(entry["model"] for entry in table1)
    if entries and any(cell.paper for cell in cells):
        title += ": Table 1 of the paper"
    if not entries or len(used & of_paper.keys()) < 2:  # else the paper's places that were not run are shown, too
        of_paper = {model: None for model in of_paper if model in used}
    columns = table1 if as_in_paper else ()
    names = {model: symbol(model, columns) for model in (*of_paper, *sorted(used - of_paper.keys()))}
    shown = _rows(cells, as_in_paper)
    ranked = {shown[cell]: _rank(letters(cell.config), rows) for cell in cells}
    protocols = tuple(sorted(ranked, key=lambda name: (ranked[name], name)))
    places: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        _put(places, (shown[cell], names[cell.config["model"]]), cell)
    paper = {
        (name, entry["column"]): entry
        for name in protocols
        for entry in entries
        if entry["column"] in names.values()
        and name in (entry["row"], *(f"{entry['row']}, {readout}" for readout in LINEAR))
        and "readout" not in entry
    }
    paper |= {place: cell.paper for place, cell in places.items() if cell.paper is not None}
    return Table(title, as_in_paper, protocols, tuple(names.values()), places, paper)


def _rank(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)
