"""Functions that ``results/labels_coil20/README.template.md`` calls, and its picture."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from audit.angles import count
from audit.angles.count import Counts
from audit.tables.curves import Panel, draw
from audit.tables.layout import Table
from audit.tables.plot import renew
from audit.tables.results import Results
from audit.tables.tables import plus_minus, rows
from audit.tables.words import not_run
from multistage.data.sets.coil20 import DEGREES
from multistage.records.cells import Cell
from multistage.records.files import path
from multistage.records.intervals import Measured, mean_of

FOLDER, PICTURE = "labels_coil20", "angles.png"
NOT_RUN = not_run(FOLDER)

BIN = 15
"""Width of a bin of angles, degrees."""

REACH = (BIN - DEGREES) / 2
"""From the centre of a bin to its first and last angle, degrees; angles are multiples of those between two views."""

AT_LEAST = 20
"""Smallest number of test views in a bin of a draw; bins with fewer are too noisy and are left out."""

FEW = (1, 2, 4, 8)
"""Numbers of labelled views per object that leave some test views far away, so that there is a curve."""


class Page:
    """Tables of the page.

    Args:
        results: All published results.

    Attributes:
        lines: For each of `FEW`, by name of the network: mean error in % by the centre of each bin of angles.

    Raises:
        MultistageError: The file of counts is damaged.
    """

    def __init__(self, results: Results) -> None:
        self.folder = results.root / FOLDER
        self.records, self.counts = results.records(FOLDER), count.read(self.folder)
        found = results.experiments[FOLDER].tables if self.records else ()
        tables = [table for table in found if table.against_labels]
        self.lines = {views: self._lines(tables, views) for views in FEW}

    def functions(self) -> dict[str, Callable[[], str]]:
        """Return the template's functions by name."""
        return {"angles_by_views": self.by_views, "angles_curves": self.curves}

    def curves(self) -> str:
        """Markdown: the picture, if there are results to draw."""
        drawn = any(self.lines.values())
        return f"![Error against the angle to the nearest labelled view]({PICTURE})" if drawn else ""

    def by_views(self) -> str:
        """Markdown: error by angle to the nearest labelled view, one table per number of labelled views."""
        tables = []
        for views, lines in self.lines.items():
            if not lines:
                continue
            bins = sorted({middle for line in lines.values() for middle in line})
            content = [
                [_degrees(middle), *(plus_minus(line[middle]) if middle in line else "" for line in lines.values())]
                for middle in bins
            ]
            words = "one labelled view" if views == 1 else f"{views} labelled views"
            tables.append(f"With {words} of each object:\n\n{rows(['angle', *lines], content)}")
        return "\n\n".join(tables) or NOT_RUN

    def picture(self, redraw: bool = False) -> Path | None:
        """Draw the picture if its records or counts changed since it was drawn.

        Returns:
            Its path if it was drawn.
        """
        if not any(self.lines.values()):
            return None
        ticks = {float(degrees): str(degrees) for degrees in (0, 45, 90, 135, 180)}
        panels = [
            Panel(f"{views} labelled view{'s' * (views > 1)}", "degrees to the nearest", found, ticks)
            for views, found in self.lines.items()
            if found
        ]
        title, y = "COIL-20: error by the angle to the nearest labelled view", "error, %, mean over draws"
        return renew(self.folder / PICTURE, self.records, self.by_views(), partial(draw, title, y, panels), redraw)

    def _lines(self, tables: Sequence[Table], views: int) -> dict[str, dict[float, Measured]]:
        places = [place for table in tables for place in table.places() if place.column == str(views)]
        return {place.row: line for place in places if (line := self._line(place.cell))}

    def _line(self, cell: Cell) -> dict[float, Measured]:
        each = [_binned(self.counts[path(record)]) for record in cell.records if path(record) in self.counts]
        middles = sorted(set.intersection(*map(set, each))) if each else []
        return {middle: mean_of([errors[middle] for errors in each], "error by angle", "%") for middle in middles}


def _binned(counts: Counts) -> dict[float, float]:
    """Return error in % by the centre of each bin of `BIN` degrees; a bin ends at a multiple of `BIN`."""
    together: dict[float, list[tuple[int, int]]] = {}
    for degrees, pair in counts.items():
        together.setdefault(-(-degrees // BIN) * BIN - REACH, []).append(pair)
    sums = {middle: [sum(each) for each in zip(*pairs, strict=True)] for middle, pairs in together.items()}
    return {middle: 100 * (1 - right / tested) for middle, (right, tested) in sums.items() if tested >= AT_LEAST}


def _degrees(middle: float) -> str:
    return f"{middle - REACH:.0f} to {middle + REACH:.0f}"
