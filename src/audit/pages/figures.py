"""Figures of the page as inline SVG that keeps its letters' size at every width.

Marks stand at percentages of the width, so that nothing has to be computed when a window is resized; only lines of
several points are stretched. Colours are classes of ``page.css``, ``s0`` to ``s3``; beyond four series a shape comes
again in another colour.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

MARKS = ("M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z", "M-4.5-4.5h9v9h-9Z", "M0-6L5.5 4.5h-11Z", "M0-6.5L5.5 0L0 6.5L-5.5 0Z")
"""Shapes of series, so that colour is never alone: disc, square, triangle, diamond."""

PAPER = "M-1.5-7h3v14h-3Z"
"""The paper's value: an upright bar."""

TIMES = {
    0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 2: "2 s", 5: "5 s", 10: "10 s", 20: "20 s", 30: "30 s", 60: "1 min",
    90: "1.5 min", 120: "2 min", 180: "3 min", 300: "5 min", 600: "10 min", 1200: "20 min", 1800: "30 min", 3600: "1 h",
    7200: "2 h", 18000: "5 h", 36000: "10 h", 86400: "1 day", 864000: "10 days",
}  # fmt: skip


@dataclass(frozen=True)
class Dot:
    """One cell in a dot plot, in %.

    Attributes:
        row: Which line it stands on.
        series: Which of the series.
        values: One for each run.
        mean: Of the values.
        interval: Of the mean; None with fewer than two runs.
        paper: The paper's value and its error bar, if it has one.
        text: What is said when one points at it.
    """

    row: str
    series: int
    values: Sequence[float]
    mean: float
    interval: tuple[float, float] | None
    paper: tuple[float, float] | None
    text: str


@dataclass(frozen=True)
class Point:
    """One cell in the scatter plot: seconds, accuracy in %, and where it leads."""

    seconds: float
    accuracy: float
    series: int
    text: str
    link: str


class Scale:
    """Where a value stands, in % of the width or height.

    Args:
        values: What has to find room.
        logarithmic: Whether equal steps are equal factors.
        margin: Left free at both ends, %.
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
        """Round values within the range, at most `count`."""
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


def broken(name: str) -> str:
    """A name that may be broken after its underscores."""
    return escape(name).replace("_", "_<wbr>")


def shape(series: int) -> str:
    """The mark of a series."""
    return MARKS[series % 4]


def colour(series: int) -> str:
    """The class of a series; with its shape, no two of sixteen look alike."""
    return f"s{(series + series // 4) % 4}"


def mark(path: str, kind: str, x: float, y: str, text: str = "") -> str:
    """A mark at x % and y (with its unit), `text` for who points at it."""
    title = f"<title>{escape(text)}</title>" if text else ""
    return f'<svg x="{x:.2f}%" y="{y}" overflow="visible"><path class="{kind}" d="{path}">{title}</path></svg>'


def legend(series: Sequence[str], paper: bool = False) -> str:
    """What the marks mean."""
    entries = [(f"mark {colour(i)}", shape(i), name) for i, name in enumerate(series)]
    entries += [("paper", PAPER, "the paper, with its error bar")] * paper
    box = 'width="16" height="16" viewBox="-8 -8 16 16" aria-hidden="true"'
    items = (f'<li><svg {box}><path class="{kind}" d="{d}"/></svg>{escape(name)}</li>' for kind, d, name in entries)
    return f'<ul class="legend">{"".join(items)}</ul>'


def dots(given: Sequence[Dot], series: Sequence[str]) -> str:
    """Means with intervals and single runs, one line for each row, in the order given; the paper's values beside."""
    papers = [value + sign * error for value, error in (d.paper for d in given if d.paper) for sign in (-1, 1)]
    scale = Scale([*(v for d in given for v in (*d.values, *possible(d.interval))), *papers])
    ticks = scale.ticks()
    grid = "".join(f'<line class="grid" x1="{scale(t):.2f}%" x2="{scale(t):.2f}%" y1="0" y2="100%"/>' for t in ticks)
    rows = []
    for row in dict.fromkeys(d.row for d in given):
        here = [d for d in given if d.row == row]
        height = 8 + 16 * len(here)
        said = "; ".join(d.text for d in here)
        marks = "".join(_dot(d, scale, 12 + 16 * i) for i, d in enumerate(here))
        rows.append(
            f'<div class="line"><span class="name">{broken(row)}</span><svg height="{height}" role="img" '
            f'aria-label="{escape(said)}">{grid}{marks}</svg></div>'
        )
    numbers = "".join(f'<text x="{scale(t):.2f}%" y="14" text-anchor="middle">{t:g}%</text>' for t in ticks)
    rows.append(f'<div class="line axis" aria-hidden="true"><span></span><svg height="20">{numbers}</svg></div>')
    return f'{legend(series, bool(papers))}<div class="dots">{"".join(rows)}</div>'


def _dot(d: Dot, scale: Scale, y: int) -> str:
    parts = []
    if d.paper is not None:
        value, error = d.paper
        parts.append(_span("error", scale(value - error), scale(value + error), y))
        parts.append(mark(PAPER, "paper", scale(value), str(y), f"paper {value}%"))
    if d.interval is not None:
        low, high = possible(d.interval)
        parts.append(_span(f"interval {colour(d.series)}", scale(low), scale(high), y))
    parts += [f'<circle class="run {colour(d.series)}" cx="{scale(v):.2f}%" cy="{y}" r="2"/>' for v in d.values]
    parts.append(mark(shape(d.series), f"mark {colour(d.series)}", scale(d.mean), str(y), d.text))
    return "".join(parts)


def possible(interval: tuple[float, float] | None) -> tuple[float, ...]:
    """The part of an interval that lies between 0 and 100 %."""
    return () if interval is None else (max(0.0, interval[0]), min(100.0, interval[1]))


def _span(kind: str, left: float, right: float, y: int) -> str:
    return f'<line class="{kind}" x1="{left:.2f}%" x2="{right:.2f}%" y1="{y}" y2="{y}"/>'


def curves(panels: Mapping[str, Sequence[Sequence[float]]], unit: str, series: int = 0) -> str:
    """Small multiples on common logarithmic axes: one panel a name, one thin line a run, their mean in bold.

    Args:
        panels: For each name the runs, for each run one positive value an epoch.
        unit: What the values are.
        series: Whose colour they have.
    """
    scale = Scale((v for lines in panels.values() for line in lines for v in line), logarithmic=True, margin=8)
    longest = max(len(line) for lines in panels.values() for line in lines)
    ticks = scale.ticks(4)
    heights = [(f"{100 - scale(t):.2f}%", f"{t:g}") for t in ticks]
    grid = "".join(f'<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>' for y, _ in heights)
    numbers = "".join(f'<text x="2" y="{y}" dy="-3">{text}</text>' for y, text in heights)
    means = {name: _mean(lines) for name, lines in panels.items()}

    def line(values: Sequence[float], kind: str) -> str:
        at = " ".join(f"{100 * i / max(longest - 1, 1):.1f},{100 - scale(v):.2f}" for i, v in enumerate(values))
        return f'<polyline class="{kind}" points="{at}"/>'

    drawn = []
    for name, lines in panels.items():
        others = "".join(line(mean, "other") for other, mean in means.items() if other != name)
        own = "".join(line(values, f"one {colour(series)}") for values in lines) + line(
            means[name], f"mean {colour(series)}"
        )
        said = f"{name}: {unit} from {means[name][0]:.3g} to {means[name][-1]:.3g} in {len(means[name])} epochs"
        drawn.append(
            f'<div class="panel"><span class="name">{broken(name)}</span><svg height="110" role="img" '
            f'aria-label="{escape(said)}">{grid}<svg viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" '
            f'height="100%">{others}{own}</svg>{numbers}</svg>'
            f'<span class="ends"><span>epoch 1</span><span>{longest}</span></span></div>'
        )
    return f'<div class="panels">{"".join(drawn)}</div>'


def _mean(lines: Sequence[Sequence[float]]) -> list[float]:
    shortest = min(len(line) for line in lines)
    return [math.fsum(line[i] for line in lines) / len(lines) for i in range(shortest)]


def front(points: Sequence[Point]) -> list[Point]:
    """Points than which none is both faster and better, fastest first."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.seconds, -p.accuracy)):
        if not found or point.accuracy > found[-1].accuracy:
            found.append(point)
    return found


def scatter(points: Sequence[Point], series: Sequence[str]) -> str:
    """Seconds (logarithmic) against accuracy; a line joins what nothing beats in both."""
    across = Scale((p.seconds for p in points), logarithmic=True, margin=6)
    up = Scale((p.accuracy for p in points), margin=8)
    times = {t: name for t, name in TIMES.items() if across.low <= t <= across.high}
    if len(times) < 2:
        unit, name = (60, "min") if across.high > 90 else (1, "s")
        times = {unit * t: f"{t:g} {name}" for t in Scale((across.low / unit, across.high / unit)).ticks(4)}
    keep = -(-len(times) // 5) or 1
    grid = "".join(
        f'<line class="grid" x1="{across(t):.2f}%" x2="{across(t):.2f}%" y1="0" y2="100%"/>'
        f'<text x="{across(t):.2f}%" y="100%" dy="-4" dx="3">{name}</text>'
        for t, name in list(times.items())[::keep]
    ) + "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{100 - up(t):.2f}%" y2="{100 - up(t):.2f}%"/>'
        f'<text x="2" y="{100 - up(t):.2f}%" dy="-3">{t:g}%</text>'
        for t in up.ticks(5)
    )
    best = front(points)
    steps = [(across(p.seconds), 100 - up(p.accuracy)) for p in best]
    corners = [
        at for (x, y), (right, _) in zip(steps, [*steps[1:], (100.0, 0.0)], strict=True) for at in ((x, y), (right, y))
    ]
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in corners)
    marks = []
    for p in sorted(points, key=lambda p: p.seconds):
        x, y, kind = across(p.seconds), f"{100 - up(p.accuracy):.2f}%", f"mark {colour(p.series)}"
        shown = mark(shape(p.series), kind, x, y, p.text)
        marks.append(f'<a href="#{p.link}" aria-label="{escape(p.text)}">{shown}</a>')
    return (
        f'{legend(series)}<svg class="scatter" height="300" role="group" aria-label="seconds against accuracy">{grid}'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%"><polyline class="front" '
        f'points="{path}"/></svg>{"".join(marks)}</svg>'
    )
