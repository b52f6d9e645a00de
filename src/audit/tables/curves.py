"""Plot curves with intervals, in %, in several panels. Needs matplotlib."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.tables.plot import look
from multistage.records.intervals import Measured, half_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT_OF_PANEL, HEIGHT_OF_NAME = 9.5, 2.7, 0.2
AT_MOST = 4
"""Panels in each row."""


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: Title of the panel.
        x: Label of the horizontal axis.
        lines: By name, from position to measurement.
        labels: Tick labels of positions; {}: their numbers.
    """

    title: str
    x: str
    lines: Mapping[str, Mapping[float, Measured]]
    labels: Mapping[float, str]


def draw(title: str, y: str, panels: Sequence[Panel]) -> "Figure":
    """Draw panels. A line has the same colour and mark in every panel.

    Args:
        title: Title above all panels.
        y: Label of the vertical axes.
        panels: At least one.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    columns = min(AT_MOST, len(panels))
    rows = -(-len(panels) // columns)
    height = HEIGHT_OF_PANEL * rows + HEIGHT_OF_NAME * (len(names) + 1) // 2 + 0.5
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    drawn = {}
    for panel, each in zip(panels, axes, strict=False):
        for name, line in panel.lines.items():
            colour, marker = look(names.index(name))
            bars = [half_width(point.interval) if point.interval else 0 for point in line.values()]
            values = [point.value for point in line.values()]
            bar = {"fmt": f"{marker}-", "ms": 4, "lw": 1.2, "capsize": 2, "elinewidth": 0.8, "color": colour}
            drawn[name] = each.errorbar(list(line), values, yerr=bars, **bar)
        each.set_title(panel.title, loc="left", fontsize=9)
        each.set_xlabel(panel.x, fontsize=8)
        each.set_xticks(list(panel.labels), list(panel.labels.values()))
        each.tick_params(labelsize=8)
    low, high = axes[0].get_ylim()  # shared by all; intervals may exceed 0 to 100 %
    axes[0].set_ylim(max(low, -2), min(high, 102))
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    figure.supylabel(y, fontsize=9)
    figure.suptitle(title, fontsize=11, weight="bold")
    handles = [drawn[name] for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure
