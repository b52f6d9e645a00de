"""Select cells by their settings (not by their place in a table), and compute with them, for claims and texts.

    table1("RR, sgd", "abs_avgpool")                 the paper's letters (stages, filters, refine), readout, preset
    table1_tests("R+R+", "abs_avgpool", lr=0.2)      a further setting, optimizer.lr, by the end of its key
    deviations("RR, lbfgs", "abs_lcn_avgpool", {"lbfgs.penalty": 0.01})      another, where a word is not enough
    norb("R+R+", "avgpool", labels=20)               labels a class
    table1("RR, sgd", "abs_avgpool") - table1("RR, sgd", "avgpool")

Settings that are not named have their defaults. A name without further settings also matches a cell whose runs set
something that the paper leaves open (`layout.TUNED`), if there is only one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.tables import layout
from audit.tables.layout import LABELS, Placed
from multistage.filters import filter_methods
from multistage.records.cells import Cell
from multistage.records.paper import letters, matching
from multistage.records.runs import Record
from multistage.registry.words import as_typed
from multistage.settings.config import rules

BOTH, ABS, N_MAX, N, NEITHER = "abs_lcn_avgpool", "abs_avgpool", "lcn_maxpool", "lcn_avgpool", "avgpool"
"""The presets of the paper's columns: abs and N, only abs, N with max pooling, only N, neither."""


Found = Mapping[str, Sequence[Placed]]
"""Every published cell, by folder of results, row by row."""


class Quantity:
    """Quantities that can be subtracted: cells, differences of cells, and other measurements of `claims`."""

    def __sub__(self, other: object) -> "Less":
        return Less(self, other) if isinstance(other, Quantity) else NotImplemented  # arrays do so element by element


@dataclass(frozen=True)
class Less(Quantity):
    """The difference of two quantities."""

    one: Quantity
    other: Quantity


@dataclass(frozen=True)
class Wanted(Quantity):
    """The address of a cell, whether or not it was run.

    Attributes:
        folder: Name of a results folder.
        settings: Data set, preset, stages, filters, refine, readout, labels a class, if they are named.
        further: Other settings, by the last parts of their keys, in the order of a run's folder; None: no such key.
    """

    folder: str
    settings: tuple[tuple[str, Any], ...]
    further: tuple[tuple[str, Any], ...] = ()

    def fits(self, cell: Cell) -> bool:
        """Whether a cell has all named settings."""
        return all(_value(cell.config, name) == value for name, value in (*self.settings, *self.further))

    def unsaid(self, cell: Cell) -> list[str]:
        """Return the keys that a cell's runs set and that are not named here."""
        config, recorded = cell.config, cell.records[0]["config"]
        named = [name for name, _ in (*self.settings, *self.further)]
        return [
            key
            for key in layout.further(cell)
            if (key in config or key not in recorded)  # others do not affect results
            and not any(_means(name, key) for name in named)
        ]

    def paper(self, published: Sequence[Record]) -> Record | None:
        """Return the paper's figure (by default that of a linear readout); None if it is not unique."""
        config = {"readout": "softmax", **dict(self.settings), **dict(self.further)}
        found = [entry for entry in published if matching([entry], config)]
        return found[0] if len(found) == 1 else None

    def place(self, published: Sequence[Record]) -> tuple[str, str]:
        """Return row and column of its table; for a curve, line and labels a class."""
        config = {"readout": "", **dict(self.settings)}
        overrides = " ".join(f"{_whole(name)}={as_typed(value)}" for name, value in self.further)
        if LABELS in config:
            row, column = layout.line_name(config, published), str(config[LABELS])
        else:
            columns = published if config["data"] == "caltech101" else ()
            row, column = layout.row_name(config), layout.symbol(config["model"], columns)
        return ", ".join(filter(None, [row, overrides])), column


@dataclass(frozen=True)
class Folder:
    """A results folder; calling it with settings names a cell.

    Attributes:
        name: Its name.
        data: The data set of cells that name none.
    """

    name: str
    data: str = "caltech101"

    def __call__(
        self, row: str, model: str, further: Mapping[str, Any] | None = None, labels: int | None = None, **more: Any
    ) -> Wanted:
        """Name a cell of this folder.

        Args:
            row: The paper's letters and, after a comma, the readout of frozen filters: "R+R+", "UU, lbfgs".
            model: A preset.
            further: Other settings, by the last parts of their keys.
            labels: Labels a class.
            more: Like `further`, for settings whose name is one word.
        """
        settings = {"data": self.data, "model": model, **_protocol(row)}
        if labels is not None:
            settings[LABELS] = labels
        return Wanted(self.name, tuple(settings.items()), tuple({**(further or {}), **more}.items()))

    def each(self, rows: Iterable[str], *models: str) -> np.ndarray:
        """Name cells [rows, models] without further settings; arrays of cells can be subtracted like numbers."""
        return np.array([[self(row, model) for model in models] for row in rows])


def find(wanted: Wanted, found: Found) -> Cell | None:
    """Find the cell with these settings; None if there is none.

    Raises:
        LookupError: There are several.
    """
    fitting = [placed.cell for placed in found.get(wanted.folder, ()) if wanted.fits(placed.cell)]
    chosen = [cell for cell in fitting if not wanted.unsaid(cell)]
    if not chosen and not wanted.further:
        chosen = [c for c in fitting if all(key.partition(".")[0] in layout.TUNED for key in wanted.unsaid(c))]
    if len(chosen) > 1:
        names = sorted({name for one in chosen[1:] for name, _ in set(one.key) ^ set(chosen[0].key)})
        raise LookupError(
            f"fits {len(chosen)} cells of {wanted.folder}, which differ in {', '.join(names)}; name these"
        )
    return chosen[0] if chosen else None


def cell(wanted: Wanted, found: Found) -> Cell:
    """Return the cell with these settings.

    Raises:
        LookupError: There is none (the message names the nearest), or there are several.
    """
    chosen = find(wanted, found)
    if chosen is None:
        near = sorted(found.get(wanted.folder, ()), key=lambda placed: -_likeness(wanted, placed.cell))[:3]
        shown = "; ".join(f"{placed.row} | {placed.column}" for placed in near) or "none"
        raise LookupError(f"a cell of {wanted.folder} that is not published; nearest there: {shown}")
    return chosen


def _likeness(wanted: Wanted, cell: Cell) -> float:
    """Count the named settings that a cell has, minus a little for each other one that its runs set."""
    named = (*wanted.settings, *wanted.further)
    return sum(_value(cell.config, name) == value for name, value in named) - 0.1 * len(wanted.unsaid(cell))


def _protocol(row: str) -> dict[str, Any]:
    """Parse a row's name: stages, filters, refine and, if it is named or implied, readout."""
    written, _, readout = row.partition(", ")
    for filters, method in filter_methods.items():
        for refine in (False, True):
            stages = written.count(method.letter) + written.count("T")
            config = {"stages": stages, "filters": filters, "refine": refine}
            if stages and letters(config) == written and not (readout and refine):
                readout = "softmax" if refine else readout
                return {**config, "readout": readout} if readout else config
    raise LookupError(f"{row!r} is not a row; expected the paper's letters and a readout, such as R+R+ or 'UU, lbfgs'")


def _means(name: str, key: str) -> bool:
    return key == name or key.endswith(f".{name}")


def _whole(name: str) -> str:
    """Return the key that a name is the last part of; the name itself if that may be several keys."""
    stage = re.sub(r"\bstage\d", "stage1", name)
    keys = [key for key in rules() if _means(stage, key) and ("stage" in name or ".stage1." not in key)]
    return keys[0].removesuffix(stage) + name if len(keys) == 1 else name


def _value(config: Mapping[str, Any], name: str) -> Any:
    """Find a setting by the last parts of its key; None if there is none.

    Raises:
        LookupError: Several keys end like this.
    """
    keys = [name] if name in config else [key for key in config if _means(name, key)]
    if len(keys) > 1:
        raise LookupError(f"{name} may be {' or '.join(keys)}; say more of the key")
    return config[keys[0]] if keys else None
