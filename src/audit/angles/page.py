"""What ``results/labels_coil20/README.template.md`` can call, and the picture beside it."""

from collections.abc import Callable
from pathlib import Path

from audit.angles import count
from audit.angles.count import Counts
from audit.tables.curves import Panel, draw
from audit.tables.layout import Table
from audit.tables.plot import digests, renew
from audit.tables.results import Results
from audit.tables.tables import plus_minus, rows
from audit.tables.words import not_run
from multistage.records.cells import Cell
from multistage.records.files import path, to_lines
from multistage.records.intervals import Measured, mean_of

FOLDER, PICTURE = "labels_coil20", "angles.png"
NOT_RUN = not_run(FOLDER)

BIN = 15
"""Degrees that are taken together."""

AT_LEAST = 20
"""Views of a range of angles in a draw; a range with fewer of them ends a curve by chance, and is left out."""

FEW = (1, 2, 4, 8)
"""Labelled views of an object from which others are far enough away to make a curve."""


class Page:
    """The tables of the page.

    Args:
        results: All that is published.

    Raises:
        MultistageError: Counts that are damaged.
    """

    def __init__(self, results: Results) -> None:
        self.folder = results.root / FOLDER
        self.records, self.counts = results.records(FOLDER), count.read(self.folder)
        found = results.experiments[FOLDER].tables if self.records else ()
        self.tables: list[Table] = [table for table in found if table.against_labels]

    def functions(self) -> dict[str, Callable[[], str]]:
        """By the names that the template has for them."""
        return {"angles_by_views": self.by_views, "angles_curves": self.curves}

    def curves(self) -> str:
        """Markdown: the picture, if there is anything to draw."""
        drawn = any(map(self.lines, FEW))
        return f"![Error against the angle to the nearest labelled view]({PICTURE})" if drawn else ""

    def by_views(self) -> str:
        """Markdown: error by angle to the nearest labelled view, a table a number of labelled views."""
        tables = []
        for views in FEW:
            lines = self.lines(views)
            if not lines:
                continue
            bins = sorted({middle for line in lines.values() for middle in line})
            content = [[_degrees(middle), *(_figure(line.get(middle)) for line in lines.values())] for middle in bins]
            words = "one labelled view" if views == 1 else f"{views} labelled views"
            tables.append(f"With {words} of each object:\n\n{rows(['angle', *lines], content)}")
        return "\n\n".join(tables) or NOT_RUN

    def lines(self, views: int) -> dict[str, dict[float, Measured]]:
        """Error in % by the middle of each range of angles, mean over draws, by the name of the network."""
        found = {}
        for table in self.tables:
            for name in table.protocols:
                cell = table.cells.get((name, str(views)))
                if cell and (line := self._line(cell)):
                    found[name] = line
        return found

    def picture(self, redraw: bool = False) -> Path | None:
        """Draw the picture if there is one to draw and its counts are others than it was drawn from.

        Returns:
            Its path if it was drawn.
        """
        lines = {views: self.lines(views) for views in FEW}
        if not any(lines.values()):
            return None
        file, metadata = self.folder / PICTURE, digests(to_lines(self.records), self.by_views())
        ticks = {float(degrees): str(degrees) for degrees in (0, 45, 90, 135, 180)}
        panels = [
            Panel(f"{views} labelled view{'s' * (views > 1)}", "degrees to the nearest", found, ticks)
            for views, found in lines.items()
            if found
        ]
        title, y = "COIL-20: error by the angle to the nearest labelled view", "error, %, mean over draws"
        return renew(file, metadata, lambda: draw(title, y, panels, metadata), redraw)

    def _line(self, cell: Cell) -> dict[float, Measured]:
        each = [_binned(self.counts[path(record)]) for record in cell.records if path(record) in self.counts]
        middles = sorted(set.intersection(*map(set, each))) if each else []
        return {middle: mean_of([errors[middle] for errors in each], "error by angle", "%") for middle in middles}


def _binned(counts: Counts) -> dict[float, float]:
    """Error in % by the middle of a range of `BIN` degrees, which ends with a multiple of it."""
    together: dict[float, list[tuple[int, int]]] = {}
    for degrees, pair in counts.items():
        together.setdefault(-(-degrees // BIN) * BIN - (BIN - 5) / 2, []).append(pair)
    sums = {middle: [sum(each) for each in zip(*pairs, strict=True)] for middle, pairs in together.items()}
    return {middle: 100 * (1 - right / tested) for middle, (right, tested) in sums.items() if tested >= AT_LEAST}


def _degrees(middle: float) -> str:
    reach = (BIN - 5) / 2
    return f"{middle - reach:.0f} to {middle + reach:.0f}"


def _figure(found: Measured | None) -> str:
    return "" if found is None else plus_minus(found.value, found.interval)
