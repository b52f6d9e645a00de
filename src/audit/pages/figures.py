"""Figures of the page: positions of marks and lines, which `figures.html` renders as SVG."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import fsum

import numpy as np
from markupsafe import Markup

from audit.tables.tables import plus_minus
from audit.tables.templates import ENVIRONMENT, macro
from audit.tables.words import duration
from multistage.records.cells import Cell
from multistage.records.intervals import Interval

MARKS = ("M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z", "M-4.5-4.5h9v9h-9Z", "M0-6L5.5 4.5h-11Z", "M0-6.5L5.5 0L0 6.5L-5.5 0Z")
"""Shapes of series, so that colour is never the only cue: disc, square, triangle, diamond."""

MOST_POINTS = 64
"""Of a learning curve, whose panel is a few hundred pixels wide."""

PAPER = "M-1.5-7h3v14h-3Z"
"""Mark of the paper's value: a vertical bar."""

TIMES = {
    0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 2: "2 s", 5: "5 s", 10: "10 s", 20: "20 s", 30: "30 s", 60: "1 min",
    90: "1.5 min", 120: "2 min", 180: "3 min", 300: "5 min", 600: "10 min", 1200: "20 min", 1800: "30 min", 3600: "1 h",
    7200: "2 h", 18000: "5 h", 36000: "10 h", 86400: "1 day", 864000: "10 days",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Position of a cell on the page.

    Args:
        cell: The cell.
        row: Row of the table: a preset, a number of labels per class, or the protocol if there is only one preset.
        series: Number of its column in the table, which is its colour and shape in figures.
        protocol: The protocol in words.
        identifier: Anchor that links to it use.
    """

    cell: Cell
    row: str
    series: int
    protocol: str
    identifier: str

    @property
    def text(self) -> str:
        """Return the tooltip."""
        paper = "" if self.cell.paper is None else f", paper {self.cell.paper['value']}%"
        name = ", ".join(dict.fromkeys((self.row, self.protocol)))
        return f"{name}: {plus_minus(self.cell)}%{paper}, {duration(self.cell.seconds)}"

    @property
    def paper(self) -> tuple[float, float] | None:
        """Return the paper's value and its error bar in %, if the paper has one."""
        paper = self.cell.paper
        return None if paper is None else (float(paper["value"]), float(paper["error"] or 0))


class Scale:
    """Map values to positions in % of the width or height.

    Args:
        values: Values that must fit.
        logarithmic: Whether the axis is logarithmic.
        margin: Free space at both ends, %.
    """

    def __init__(self, values: Iterable[float], logarithmic: bool = False, margin: float = 3) -> None:
        self.logarithmic, self.margin = logarithmic, margin
        known = list(values)
        self.low, self.high = min(known), max(known)
        if self.high - self.low <= 1e-9 * abs(self.high):
            spread = 0.5 * self.low if logarithmic else 1.0
            self.low, self.high = self.low - spread, self.high + spread

    def __call__(self, value: float) -> float:
        low, high, at = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.margin + (100 - 2 * self.margin) * (at - low) / (high - low)

    def ticks(self, count: int = 6) -> list[float]:
        """Return round values within the range, at most `count`."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = [(d, (1.0,)) for d in range(1, 9)] + [(1, (1.0, 2.0, 5.0))]
            best: list[float] = []
            for every, factors in steps:
                found = [f * 10.0**d for d in decades if d % every == 0 for f in factors]
                found = [value for value in found if self.low <= value <= self.high]
                best = found if len(best) < len(found) <= count else best
            return best
        step = min(
            (f * 10.0**d for d in range(-6, 7) for f in (1, 2, 5) if (self.high - self.low) / (f * 10.0**d) <= count),
        )
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(i * step, 9) for i in range(first, last + 1)]


def shape(series: int) -> str:
    """Return the mark of a series."""
    return MARKS[series % 4]


def colour(series: int) -> str:
    """Return the CSS class of a series; with the shape it is unique among sixteen series."""
    return f"s{(series + series // 4) % 4}"


def possible(interval: Interval | None) -> tuple[float, ...]:
    """Clip an interval to 0 to 100 %."""
    return () if interval is None else (max(0.0, interval[0]), min(100.0, interval[1]))


def front(points: Sequence[Place]) -> list[Place]:
    """Return the Pareto front of time and accuracy, fastest first."""
    found: list[Place] = []
    for point in sorted(points, key=lambda p: (p.cell.seconds, -p.cell.mean)):
        if not found or point.cell.mean > found[-1].cell.mean:
            found.append(point)
    return found


def dots(given: Sequence[Place], series: Sequence[str]) -> Markup:
    """Draw means with intervals and single runs, one line per row, in the given order, with the paper's values."""
    papers = [value + sign * error for value, error in (d.paper for d in given if d.paper) for sign in (-1, 1)]
    scale = Scale([*(v for d in given for v in (*d.cell.values, *possible(d.cell.interval))), *papers])
    rows = [(row, [d for d in given if d.row == row]) for row in dict.fromkeys(d.row for d in given)]
    return _macro("dots")(rows, series, scale, bool(papers))


def curves(panels: Mapping[str, Sequence[Sequence[float]]], unit: str, series: int = 0) -> Markup:
    """Draw small multiples on shared logarithmic axes: one panel per name, one thin line per run, their mean in bold.

    Lines have at most `MOST_POINTS` points, which keeps the page small.

    Args:
        panels: Runs by name; each run is one positive value per epoch.
        unit: Name of the values.
        series: Series that gives the colour.
    """
    scale = Scale((v for lines in panels.values() for line in lines for v in line), logarithmic=True, margin=8)
    longest = max(len(line) for lines in panels.values() for line in lines)
    means = {
        name: [fsum(values) / len(lines) for values in zip(*lines, strict=False)] for name, lines in panels.items()
    }

    def points(values: Sequence[float]) -> str:
        shown = sorted({round(i) for i in np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS))})
        return " ".join(f"{100 * i / max(longest - 1, 1):.1f},{100 - scale(values[i]):.2f}" for i in shown)

    drawn = []
    for name, lines in panels.items():
        ends = f"from {means[name][0]:.3g} to {means[name][-1]:.3g} in {len(means[name])} epochs"
        shown = [("other", points(mean)) for other, mean in means.items() if other != name]
        shown += [(f"one {colour(series)}", points(values)) for values in lines]
        drawn.append((name, f"{name}: {unit} {ends}", [*shown, (f"mean {colour(series)}", points(means[name]))]))
    return _macro("curves")(drawn, _levels(scale, scale.ticks(4)), longest)


def scatter(points: Sequence[Place], series: Sequence[str]) -> Markup:
    """Draw accuracy against seconds (logarithmic), with a line along the Pareto front."""
    across = Scale((p.cell.seconds for p in points), logarithmic=True, margin=6)
    up = Scale((p.cell.mean for p in points), margin=8)
    times = {t: name for t, name in TIMES.items() if across.low <= t <= across.high}
    if len(times) < 2:
        unit, name = (60, "min") if across.high > 90 else (1, "s")
        times = {unit * t: f"{t:g} {name}" for t in Scale((across.low / unit, across.high / unit)).ticks(4)}
    uprights = [(across(t), name) for t, name in list(times.items())[:: -(-len(times) // 5) or 1]]
    steps = [(across(p.cell.seconds), 100 - up(p.cell.mean)) for p in front(points)]
    corners = [
        at for (x, y), (right, _) in zip(steps, [*steps[1:], (100.0, 0.0)], strict=True) for at in ((x, y), (right, y))
    ]
    marks = [(across(p.cell.seconds), 100 - up(p.cell.mean), p) for p in sorted(points, key=lambda p: p.cell.seconds)]
    return _macro("scatter")(marks, series, uprights, _levels(up, up.ticks(5), "%"), _points(corners))


def against_labels(given: Sequence[Place], series: Sequence[str]) -> Markup:
    """Draw the paper's Fig. 3: error against labels per class on logarithmic axes, one line per series with intervals,
    the paper's as thin lines.

    Args:
        given: Points; `row` is the number of labels.
        series: Names of the lines.
    """

    def error(accuracy: float) -> float:
        return max(100 - accuracy, 0.01)  # a logarithmic axis cannot show an error of zero

    papers = [error(d.paper[0]) for d in given if d.paper]
    across = Scale((float(d.row) for d in given), logarithmic=True, margin=6)
    up = Scale(
        [*(error(v) for d in given for v in (d.cell.mean, *possible(d.cell.interval))), *papers],
        logarithmic=True,
        margin=8,
    )
    uprights = [(across(float(n)), n) for n in dict.fromkeys(sorted((d.row for d in given), key=float))]
    lines, marks = [], []
    for number in range(len(series)):
        line = sorted((d for d in given if d.series == number), key=lambda d: float(d.row))
        ours = [
            (
                d,
                across(float(d.row)),
                100 - up(error(d.cell.mean)),
                [100 - up(error(v)) for v in possible(d.cell.interval)],
            )
            for d in line
        ]
        theirs = [
            (across(float(d.row)), 100 - up(error(d.paper[0])), 100 - d.paper[0]) for d in line if d.paper is not None
        ]
        lines.append((f"mean {colour(number)}", _points([(x, y) for _, x, y, _ in ours])))
        lines.append((f"one {colour(number)}", _points([(x, y) for x, y, _ in theirs])))
        marks.append((theirs, ours))
    return _macro("against_labels")(series, uprights, _levels(up, up.ticks(5), "%"), lines, marks, bool(papers))


def _levels(scale: Scale, ticks: Sequence[float], unit: str = "") -> list[tuple[float, str]]:
    return [(100 - scale(t), f"{t:g}{unit}") for t in ticks]


def _points(at: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in at)


ENVIRONMENT.globals |= {"colour": colour, "shape": shape, "possible": possible, "PAPER": PAPER}
_macro = partial(macro, "pages/figures.html")
