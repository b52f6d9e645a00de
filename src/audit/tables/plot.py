"""``table.png``: every cell as a dot with its interval, and the paper's figure; style and metadata of all pictures.

Needs matplotlib.
"""

import hashlib
import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.tables.layout import Table
from multistage.records.files import to_lines
from multistage.records.runs import Record
from multistage.storage import durable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "figure.dpi": 130,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
}
"""matplotlib's settings for all pictures, on top of its defaults."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of Okabe & Ito, safe for colour blindness."""

MARKERS = ("o", "s", "^", "v", "P", "X")
"""Line styles, used in turn if there are more protocols than colours."""

SYMBOLS = len(COLOURS) * len(MARKERS)
"""Number of protocols that look different; more cannot be told apart."""

INCHES_A_LINE, INCHES_A_DOT, INCHES_A_PANEL, INCHES_A_CURVE, INCHES_A_NAME, WIDTH = 0.3, 0.03, 0.95, 3.8, 0.18, 8.5

TICKS, FINE_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 50, 70, 100), tuple(range(10, 101, 10))
NARROW = 5
"""Ratio of highest to lowest error in a curve; below it, there is room for finer ticks."""

INCHES_BELOW = 0.5
"""Space between a panel and the legend below it, for tick and axis labels."""

LONG_NAME, MANY_NAMES = 30, 16
"""Limits on characters and protocols: longer or more names go below a panel, not next to it."""

WIDEST_NAME = 110
"""Number of characters of a name below a panel in one line; the rest goes on the next."""


def carried(path: Path) -> dict[str, str]:
    """Read the digests in a picture's metadata; nothing if there is no such picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return {name: str(image.info[name]) for name in ("Records", "Table") if name in image.info}
    except (FileNotFoundError, UnidentifiedImageError):
        return {}


def renew(
    file: Path, records: Sequence[Record], figures: str, draw: Callable[[], "Figure"], redraw: bool = False
) -> Path | None:
    """Draw a picture unless the existing one, by its metadata, was drawn from the same records and figures.

    Args:
        file: PNG to write.
        records: Records that it is drawn from.
        figures: What it shows, as text.
        draw: Makes the figure.
        redraw: Whether to draw it in any case.

    Returns:
        Its path if it was drawn.
    """
    made_of = {"Records": to_lines(records), "Table": figures}
    metadata = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in made_of.items()}
    if not redraw and carried(file) == metadata:
        return None
    durable.update(file, png(draw, metadata))
    return file


def png(draw: Callable[[], "Figure"], metadata: Mapping[str, str], style: Mapping[Any, Any] = STYLE) -> bytes:
    """Draw a figure; the same numbers give the same bytes, whatever style the caller has set.

    Args:
        draw: Makes the figure.
        metadata: Text to store in the PNG.
        style: matplotlib's settings, on top of its defaults.
    """
    from matplotlib.style import context

    made = io.BytesIO()
    with context(["default", dict(style)]):
        draw().savefig(made, format="png", metadata={"Software": None, **metadata})
    return made.getvalue()


def draw(name: str, tables: Sequence[Table]) -> "Figure":
    """Draw a panel for each block: rows are architectures, colours protocols, hollow diamonds the paper's figures.

    Curves show error against labels a class.

    Args:
        name: Of the folder of results.
        tables: As from `layout.tables`.
    """
    from matplotlib.figure import Figure

    heights = [_height(table) for table in tables]
    names = sum(INCHES_A_NAME * (_lines(table) + 2) for table in tables if _names_below(table))
    figure = Figure(figsize=(WIDTH, sum(heights) + names + 0.5))
    panels = figure.subplots(len(tables), 1, squeeze=False, height_ratios=heights)[:, 0]
    for table, axes in zip(tables, panels, strict=True):
        _curve(axes, table) if table.against_labels else _panel(axes, table)
        axes.set_title(table.title, loc="left", fontsize=10)
        _legend(axes, table)
    dotted = [axes for table, axes in zip(tables, panels, strict=True) if not table.against_labels]
    if dotted:
        dotted[-1].set_xlabel(
            "accuracy on test images, mean over classes and runs, %; bar: 95 % interval (no bar: one run)"
        )
    figure.suptitle(name, fontsize=12, weight="bold")
    return figure


def _shown(table: Table) -> list[str]:
    """Architectures of which there is anything to show."""
    return [a for a in table.architectures if any((p, a) in table.cells for p in table.protocols)]


def _names_below(table: Table) -> bool:
    return max(map(len, table.protocols)) > LONG_NAME or len(table.protocols) > MANY_NAMES


def _wrapped(protocol: str) -> str:
    plain = protocol.replace("$", r"\$")  # not a formula
    return textwrap.fill(plain, WIDEST_NAME, subsequent_indent="    ", break_on_hyphens=False)


def _lines(table: Table) -> int:
    """Count the lines that the names of its protocols take below each other."""
    return sum(_wrapped(protocol).count("\n") + 1 for protocol in table.protocols)


def _height(table: Table) -> float:
    """Of a panel without names below it, in inches; lines have room for as many protocols as there are."""
    if table.against_labels:
        return INCHES_A_CURVE
    line = max(INCHES_A_LINE, INCHES_A_DOT * len(table.protocols))
    return INCHES_A_PANEL + line * len(_shown(table))


def _legend(axes: "Axes", table: Table) -> None:
    from matplotlib.transforms import ScaledTranslation

    look: dict[str, Any] = {"fontsize": 8, "frameon": False}
    if _names_below(table):
        below = axes.transAxes + ScaledTranslation(0, -INCHES_BELOW, axes.figure.dpi_scale_trans)
        columns = 2 if max(map(len, table.protocols)) < WIDEST_NAME // 2 else 1
        axes.legend(loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, ncols=columns, **look)
    else:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), **look)


def look(i: int) -> tuple[str, str]:
    """Colour and marker of a block's protocol, from 0."""
    return COLOURS[i % len(COLOURS)], MARKERS[i // len(COLOURS) % len(MARKERS)]


def _panel(axes: "Axes", table: Table) -> None:
    shown = _shown(table)
    step = 0.7 / len(table.protocols)
    extent: tuple[float, ...] = ()
    for i, protocol in enumerate(table.protocols):
        colour, marker = look(i)
        offset = (i - (len(table.protocols) - 1) / 2) * step
        for line, architecture in enumerate(shown):
            cell, paper = table.cells.get((protocol, architecture)), table.paper.get((protocol, architecture))
            if cell is None:
                continue
            y = line + offset
            axes.errorbar(cell.mean, y, xerr=cell.half_width, fmt=marker, ms=5, color=colour, capsize=2.5, zorder=3)
            extent += cell.interval or (cell.mean,)
            if paper is not None:
                bar = paper["error"] or None
                axes.errorbar(paper["value"], y, xerr=bar, fmt="D", ms=7, mfc="none", color=colour, alpha=0.6)
                extent += (paper["value"] - (bar or 0), paper["value"] + (bar or 0))
        axes.plot([], [], marker, ms=5, color=colour, label=_wrapped(protocol))
    if any(place in table.paper for place in table.cells):
        axes.plot([], [], "D", ms=7, mfc="none", mec="#444444", label="the paper")
    axes.set_yticks(range(len(shown)), shown, fontsize=9)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    low, high = min(extent), max(extent)
    margin = max(0.05 * (high - low), 0.5)
    axes.set_xlim(max(low - margin, 0), max(high, min(high + margin, 100)))  # beyond 100 only where an interval is


def _curve(axes: "Axes", table: Table) -> None:
    """Error against labels a class, both logarithmic; dashed lines with hollow diamonds for the paper."""
    least = 0.01  # no errors at all cannot stand on a logarithmic axis
    for i, protocol in enumerate(table.protocols):
        colour, marker = look(i)
        line = [(int(a), table.cells[protocol, a]) for a in table.architectures if (protocol, a) in table.cells]
        paper = [(int(a), table.paper[protocol, a]) for a in table.architectures if (protocol, a) in table.paper]
        errors = [max(100 - cell.mean, least) for _, cell in line]
        up = [cell.half_width or 0 for _, cell in line]
        bars = [[min(half, error - least) for half, error in zip(up, errors, strict=True)], up]
        sizes = [labels for labels, _ in line]
        name = _wrapped(protocol)
        axes.errorbar(sizes, errors, yerr=bars, fmt=f"{marker}-", ms=5, capsize=2.5, color=colour, lw=1.4, label=name)
        theirs = [max(100 - entry["value"], least) for _, entry in paper]
        axes.plot([labels for labels, _ in paper], theirs, "D--", ms=6, mfc="none", lw=0.8, color=colour, alpha=0.6)
    if table.paper:
        axes.plot([], [], "D--", ms=6, mfc="none", lw=0.8, color="#444444", label="the paper")
    axes.set(xscale="log", yscale="log")
    axes.set_xticks([int(a) for a in table.architectures], table.architectures)
    axes.minorticks_off()
    best = max([cell.mean for cell in table.cells.values()] + [entry["value"] for entry in table.paper.values()])
    low, high = axes.get_ylim()
    low = max(low, max(100 - best, least) / 2)  # intervals may reach far below
    axes.set_ylim(low, high)
    ticks = [t for t in (FINE_TICKS if high / low < NARROW else TICKS) if low <= t <= high]
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.set(xlabel="labels a class", ylabel="error, %, mean over classes and runs")
