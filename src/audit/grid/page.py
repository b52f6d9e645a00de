"""Functions that ``results/grid/README.template.md`` calls, its picture, and the HTML page."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

from audit.grid import plot
from audit.grid.answer import answer
from audit.grid.choice import to_measure
from audit.grid.figures import Figures, change, span
from audit.grid.places import (
    CHOOSING,
    DISTINCT,
    EQUAL,
    EVERY,
    FOLDER,
    LEVELS,
    MEASURING,
    PAPER,
    RANDOM,
    Grid,
    Place,
    Protocol,
)
from audit.grid.variance import FACTORS, alike, effects
from audit.tables.plot import renew
from audit.tables.results import Results
from audit.tables.tables import rows, signed
from audit.tables.templates import render
from audit.tables.words import count, listed, not_run
from multistage.records.intervals import Interval

PICTURE, PAGE = "grid.png", "index.html"
SHOWN = 20
"""Number of places listed in the ranking on the selection draw."""

WHOLE = "Needs every cell of the first part."
"""Instead of a table that is computed from all cells."""


class Page:
    """Tables of the page.

    Args:
        results: All published results.

    Raises:
        MultistageError: A run in the grid's folder that does not belong to the grid.
    """

    def __init__(self, results: Results) -> None:
        self.folder = results.root / FOLDER
        self.grid = Grid(results)
        self.figures = Figures(self.grid)

    def functions(self) -> dict[str, Callable[[], str]]:
        """Return the template's functions by name."""
        return {
            "grid_answer": lambda: answer(self.figures),
            "grid_state": self.state,
            "grid_map": self.map,
            "grid_shares": self.shares,
            "grid_levels": self.levels,
            "grid_alike": self.alike,
            "grid_ranking": self.ranking,
            "grid_best": self.best,
            "grid_stages": lambda: "\n\n".join(self.changes(RANDOM, Protocol(stages)) for stages in (1, 3)),
            "grid_learned": lambda: "\n\n".join(
                self.changes(before, after)
                for before, after in (
                    (RANDOM, Protocol(2, "psd")),
                    (Protocol(2, "psd"), Protocol(3, "psd")),
                )
            ),
            "grid_refined": lambda: self.changes(RANDOM, Protocol(2, "random", True)),
            "grid_left_out": lambda: listed([f"`{one.name}` (as `{other.name}`)" for one, other in EQUAL.items()]),
        }

    def state(self) -> str:
        """Say how much of the first part was run, and what is missing."""
        missing = self.grid.missing
        there = len(DISTINCT) - len(missing)
        if not there:
            return not_run(FOLDER)
        said = f"{there} of {len(DISTINCT)} cells of the first part were run."
        if not missing:
            return said
        left = Counter(place.rectify for place in missing)
        return f"{said} Missing: {listed([f'{number} with `{name}`' for name, number in left.items()])}."

    def map(self) -> str:
        """Markdown: the heat map and a link to the page; empty until something of the first part was run."""
        if not self._is_begun():
            return ""
        return f"![Accuracy of every cell]({PICTURE})\n\nEvery cell with its runs and commands: [{PAGE}]({PAGE})."

    def shares(self) -> str:
        """Markdown: share of the variance of each factor and interaction."""
        if not self.figures.shares:
            return WHOLE
        lines = [[each.name, f"{100 * each.value:.1f} %", _percent(each.interval)] for each in self.figures.shares]
        return rows(["", "share of the variance", "95 % interval"], lines)

    def levels(self) -> str:
        """Markdown: mean effect of each level of a factor, in percentage points."""
        if not self.figures.shares:
            return WHOLE
        tables = []
        for axis, by in ((0, 2), (1, 2), (2, 0)):
            found = effects(self.grid.values, axis, by)
            columns = np.column_stack([found.mean(1), found])
            header = [FACTORS[axis], "all", *(f"`{name}`" for name in LEVELS[by])]
            order = np.argsort(-columns[:, 0], kind="stable")
            lines = [[f"`{LEVELS[axis][i]}`", *map(signed, columns[i].tolist())] for i in order]
            tables.append(rows(header, lines, numbers=True))
        return "\n\n".join(tables)

    def alike(self) -> str:
        """Name levels that do not differ; "" if there are none, or noise is unknown."""
        if not self.figures.shares or self.figures.noise is None:
            return ""
        found = [
            f"{FACTORS[axis]} `{LEVELS[axis][one]}` and `{LEVELS[axis][other]}` ({size:.2f} points)"
            for axis, one, other, size in alike(self.grid.values, self.figures.noise)
        ]
        said = "Levels between which cells differ by no more than noise (root mean square of the differences)"
        return f"{said}: {'; '.join(found)}." if found else ""

    def ranking(self) -> str:
        """Markdown: places on the measurement draws, with simultaneous confidence intervals."""
        if not self.figures.ranking:
            return self._unranked()
        lines = [
            [
                *(number, f"`{each.place.name}`", PAPER.get(each.place, ""), f"{each.mean:.2f}"),
                f"{signed(each.against[0])} to {signed(each.against[1])}",
                "may be the best" if each.may_be_best else "",
            ]
            for number, each in enumerate(self.figures.ranking, 1)
        ]
        return rows(
            ["", "operations", "paper", "accuracy", "minus the best of the others, simultaneous 95 %", ""], lines
        )

    def _unranked(self) -> str:
        """Say what the ranking needs."""
        needs = f"Needs the best cells on draws {MEASURING[0]} to {MEASURING[-1]}"
        if not self.figures.order:
            return f"{needs}. {not_run('grid_draws')}"
        wanted = to_measure(self.figures.order)
        there = len(wanted & self.grid.measured().keys())
        return f"{needs}; {there} of {len(wanted)} have them. `python train.py experiment=grid_draws` runs the others."

    def best(self) -> str:
        """Markdown: the best places on the selection draw, and the paper's five among all."""
        order = self.figures.order
        if not order:
            return WHOLE
        shown = [(number, place) for number, place in enumerate(order, 1) if number <= SHOWN or place in PAPER]
        lines = [
            [number, f"`{place.name}`", PAPER.get(place, ""), f"{self.grid.chosen_by(place):.2f}"]
            for number, place in shown
        ]
        return rows(["rank", "operations", "paper", f"accuracy, draw {CHOOSING}"], lines)

    def changes(self, before: Protocol, after: Protocol) -> str:
        """Markdown: places that were run under two protocols on the same draws, with their mean difference."""
        (draws, found), header = self.figures.changes(before, after), [_words(before), _words(after)]
        title = f"{header[1].capitalize()} minus {header[0]}"
        if not found:
            return f"{title}: not run yet."
        lines = [
            [
                *(f"`{each.place.name}`", PAPER.get(each.place, "")),
                *(f"{fmean(each.before):.2f}", f"{fmean(each.after):.2f}", signed(fmean(each.differences))),
            ]
            for each in found
        ]
        each = f" ({' to '.join(map(signed, span(found)))})" if len(found) > 1 else ""
        over = f"mean over {count(len(found), 'cell')}{each}; {_on(draws)}."
        said = f"{title}: {signed(change(found, title))} points, {over}"
        return f"{said}\n\n{rows(['operations', 'paper', *header, 'difference'], lines)}"

    def picture(self, redraw: bool = False) -> Path | None:
        """Draw the heat map if the records changed since it was drawn.

        Returns:
            Its path if it was drawn.
        """
        if not self._is_begun():
            return None
        values = self.grid.values
        figures = np.array2string(values, threshold=values.size)
        return renew(self.folder / PICTURE, self.grid.own, figures, partial(plot.draw, values), redraw)

    def documents(self) -> dict[Path, str]:
        """Render the HTML page, by its path; nothing until something of the first part was run."""
        if not self._is_begun():
            return {}
        values = {place: value for place in EVERY if (value := self.grid.chosen_by(place)) is not None}
        page = render(
            "grid/page.html",
            answer=answer(self.figures),
            state=self.state(),
            figures=self.figures,
            order=self.figures.order,
            grid=self.grid,
            levels=LEVELS,
            distinct=DISTINCT,
            equal=EQUAL,
            paper=PAPER,
            values=values,
            first=next(iter(values)),
            scale=(min(values.values()), max(values.values())),
            draw=CHOOSING,
            **{"place_of": Place, "words": _words, "signed": signed},
        )
        return {self.folder / PAGE: page}

    def _is_begun(self) -> bool:
        """Return whether there is a figure for the heat map; later parts have none."""
        return bool(self.grid.own) and not np.isnan(self.grid.values).all()


def _percent(interval: Interval | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def _on(draws: Sequence[int]) -> str:
    """Name draws in words: draw 1, draws 1 and 2."""
    return f"draw{'s' * (len(draws) > 1)} {listed([*map(str, draws)])}"


def _words(protocol: Protocol) -> str:
    """Name a protocol in words."""
    number = count(protocol.stages, "stage")
    return f"{number} ({protocol.filters} filters, {'refined' if protocol.refine else 'frozen'})"
