"""Where a cell stands: the paper's Table 1 for Caltech-101, a table of presets for every other data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multistage.config import DATA_SETS, Config
from multistage.errors import MultistageError
from multistage.report.cells import Cell, common_path
from multistage.report.paper import LINEAR
from multistage.runs import Record

LETTERS = {"random": "R", "gabor": "G", "psd": "U"}
STAGES = {1: "one stage", 2: "two stages"}


@dataclass(frozen=True, eq=False)
class Table:
    """One block of results.

    Args:
        title: What stands above it.
        as_in_paper: Protocols are rows and architectures columns, as in Table 1; otherwise the other way round.
        protocols: What learns, and from what, top to bottom or left to right.
        architectures: The paper's symbols, or names of presets.
        cells: By protocol and architecture; places may be empty.
        paper: What the paper has for the same places, whether or not it was run here.
    """

    title: str
    as_in_paper: bool
    protocols: tuple[str, ...]
    architectures: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    paper: Mapping[tuple[str, str], Record]


def tables(cells: Sequence[Cell], published: Sequence[Record]) -> list[Table]:
    """Lay cells out: Caltech-101 by number of stages, then every other data set by itself; empty rows are left out.

    Raises:
        MultistageError: Two cells for one place.
    """
    table1 = [entry for entry in published if entry["table"] == 1]
    found = []
    for stages, words in STAGES.items():
        if of_paper := [c for c in cells if c.config["data"] == "caltech101" and c.config["stages"] == stages]:
            entries = [entry for entry in table1 if entry["stages"] == stages]
            found.append(_table(f"caltech101, {words}: Table 1 of the paper", of_paper, entries, table1))
    for data in DATA_SETS:
        if others := [c for c in cells if c.config["data"] == data != "caltech101"]:
            found.append(_table(data, others, [], table1))
    return found


def symbol(model: str, published: Sequence[Record]) -> str:
    """The paper's symbol for a preset, the preset's name if the paper's tables do not have it."""
    return next((entry["column"] for entry in published if entry["model"] == model), model)


def letters(config: Config) -> str:
    """The paper's name for what learns: R, R+, UU, U+U+, GT, ..."""
    if config["filters"] == "gabor" and config["stages"] == 2 and not config["refine"]:
        return "GT"  # Gabor filters, then templates
    return (LETTERS[config["filters"]] + "+" * config["refine"]) * config["stages"]


def protocol(cell: Cell) -> str:
    """What learns, from what, and overrides: in letters for Caltech-101, in words for other data sets."""
    config = cell.config
    if config["data"] == "caltech101":
        words = [letters(config)]
    else:
        words = ["refined" if config["refine"] else "frozen"]
        words += [] if config["stages"] == 2 else [STAGES[config["stages"]]]
        words += [] if config["filters"] == "random" else [config["filters"]]
    words += [] if config["refine"] else [config["readout"]]
    return ", ".join(filter(None, [*words, common_path(cell.records[0])[1]]))


def _table(title: str, cells: Sequence[Cell], entries: Sequence[Record], table1: Sequence[Record]) -> Table:
    """One block; `entries` are the paper's figures for it, none if the paper's table has no such block."""
    rows = list(dict.fromkeys(entry["row"] for entry in entries))
    used = {cell.config["model"] for cell in cells}
    of_paper = dict.fromkeys(entry["model"] for entry in table1 if entries or entry["model"] in used)
    names = {model: symbol(model, entries) for model in (*of_paper, *sorted(used - of_paper.keys()))}
    ranked = {protocol(cell): _rank(letters(cell.config), rows) for cell in cells}
    protocols = tuple(sorted(ranked, key=lambda name: (ranked[name], name)))
    places: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        place = protocol(cell), names[cell.config["model"]]
        if places.setdefault(place, cell) is not cell:
            raise MultistageError(f"{places[place].title} and {cell.title} belong into one place of the table")
    paper = {
        (name, entry["column"]): entry
        for name in protocols
        for entry in entries
        if name in (entry["row"], *(f"{entry['row']}, {readout}" for readout in LINEAR)) and "readout" not in entry
    }
    paper |= {place: cell.paper for place, cell in places.items() if cell.paper is not None}
    return Table(title, bool(entries), protocols, tuple(names.values()), places, paper)


def _rank(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)
