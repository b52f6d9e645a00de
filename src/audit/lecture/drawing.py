"""Style of the lecture's pictures: small, legible on a phone, in colours that are safe for colour-blind readers.

The same numbers give the same bytes: files contain no date and no version.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from PIL import Image
from torch import Tensor

from audit.tables import plot
from audit.tables.plot import COLOURS as COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

Axes = Any
"""Result of ``Figure.subplots``: a single axes, a row of axes, or rows of axes."""

RULE = {"color": "#555555", "linewidth": 1}
"""Style of reference lines: zero, chance, equality."""

WIDTH = 4.6
"""Width in inches; narrow enough that 9-point text stays legible on a phone."""

STYLE: dict[Any, Any] = {
    **plot.STYLE,
    "figure.dpi": 160,
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.prop_cycle": f"cycler(color={list(COLOURS)})",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
}


def picture(
    rows: int = 1, columns: int = 1, height: float = 2.8, colours: int = 128, **subplots: Any
) -> Callable[[Callable[Concatenate[Axes, P], None]], Callable[P, bytes]]:
    """Decorate a drawing function so that it returns a PNG of `WIDTH` in the lecture's style, without metadata.

    The decorated function gets `Axes`, then its own arguments.

    Args:
        rows: Rows of axes.
        columns: Columns of axes.
        height: Inches.
        colours: Number of colours of the PNG.
        **subplots: Further arguments of ``Figure.subplots``.
    """

    def decorate(draw: Callable[Concatenate[Axes, P], None]) -> Callable[P, bytes]:
        @wraps(draw)
        def drawn(*args: P.args, **named: P.kwargs) -> bytes:
            def figure() -> "Figure":
                from matplotlib.figure import Figure

                made = Figure(figsize=(WIDTH, height))
                draw(made.subplots(rows, columns, **subplots), *args, **named)
                return made

            return _quantized(plot.png(figure, {}, STYLE), colours)

        return drawn

    return decorate


def _quantized(png: bytes, colours: int) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        small = image.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


def formula(name: str) -> str:
    """Format the paper's name of a stage for print: ``F-R_abs-P_A`` with abs and A as subscripts."""
    return re.sub(r"([A-Z])_(\w+)", r"\1$_{\\mathrm{\2}}$", name)


def lines(axes: Axes, x: Sequence[float], curves: Mapping[str, Tensor], styles: Sequence[str], **look: Any) -> None:
    """Draw a line per label: means of curves [points, measurements] against the first values of `x`."""
    for (label, curve), style in zip(curves.items(), styles, strict=True):
        axes.plot(x[: len(curve)], curve.mean(1), style, label=label, **look)


def shared_legend(axes: Sequence[Axes], place: str, **look: Any) -> None:
    """Add one legend outside several axes that have the same lines."""
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc=f"outside {place}", **look)


def gray(axes: Axes, values: Tensor, title: str = "", limit: float | None = None, low: float | None = None) -> None:
    """Show one map [height, width] in shades of gray.

    Args:
        axes: Axes to draw on.
        values: The map.
        title: Title above it.
        limit: Value shown as white; the largest absolute value if None.
        low: Value shown as black; -limit if None.
    """
    limit = float(values.abs().max()) or 1.0 if limit is None else limit
    axes.imshow(values.numpy(), cmap="gray", vmin=-limit if low is None else low, vmax=limit, interpolation="nearest")
    axes.set_title(title)
    axes.set_axis_off()


def numbers(axes: Axes, values: Tensor, title: str = "", shaded: Sequence[tuple[int, int]] = ()) -> None:
    """Show a small matrix as squares with numbers, some of them shaded."""
    rows, columns = values.shape
    for row in range(rows):
        for column in range(columns):
            colour = "#cfe6f5" if (row, column) in shaded else "white"
            axes.fill_between([column, column + 1], row, row + 1, facecolor=colour, edgecolor="#555555", linewidth=0.8)
            axes.text(column + 0.5, row + 0.5, f"{float(values[row, column]):g}", ha="center", va="center")
    axes.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.05, -0.05), aspect="equal", title=title)
    axes.set_axis_off()
