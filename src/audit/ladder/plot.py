"""Draw ``ladder.png``: accuracy of each rung against its minutes. Needs matplotlib."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audit.ladder.climb import Ladder, Step
from audit.ladder.others import Other
from audit.tables.plot import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 8.5, 5.2
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
APART = 110, 17
"""Distance in pixels, horizontal and vertical, at which labels do not overlap."""

INK, FAINT = "#444444", "#888888"


def draw(ladder: Ladder, others: Sequence[Other]) -> "Figure":
    """Draw rungs as connected dots, their variants as hollow dots, other systems as horizontal lines.

    Args:
        ladder: Its rungs and variants; those that were not run are left out.
        others: Other systems; those with a label are drawn.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT))
    axes = figure.subplots()
    shown, beside = ([step for step in steps if step.some] for steps in (ladder.rungs, ladder.beside))
    axes.plot([step.minutes for step in shown], [step.some.mean for step in shown if step.some], color=COLOURS[0])
    for step in shown:
        _point(axes, step, {"color": COLOURS[0]})
    for step in beside:
        _point(axes, step, {"color": COLOURS[1], "mfc": "white"})
    axes.set_xscale("log")
    spent = [step.minutes for step in (*shown, *beside)]
    axes.set_xlim(min(spent) / 2.5, max(spent) * 2.5)
    for other in others:
        if not other.line or other.value is None:
            continue
        axes.axhline(other.value, color=FAINT, lw=1, ls="--", zorder=1)
        text, place = f"{other.value:g} {other.line}", axes.get_yaxis_transform()
        axes.text(0.99, other.value, text, fontsize=8, color=INK, va="bottom", ha="right", transform=place)
    low, high = axes.get_xlim()
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.5, high + 0.5)
    _names(axes, (*shown, *beside), ladder)
    axes.set_xlabel("minutes of one run, filters and features included")
    axes.set_ylabel("accuracy, %, mean over classes and runs; bar: 95 % interval")
    axes.set_title(
        "ladder: up to 30 test images a class; filled: rungs, hollow: what was tried beside them",
        loc="left",
        fontsize=10,
    )
    return figure


def _point(axes: "Axes", step: Step, look: Mapping[str, str]) -> None:
    if step.some:
        bar: dict[str, Any] = {"yerr": step.some.half_width, "capsize": 2.5, **look}
        axes.errorbar(step.minutes, step.some.mean, fmt="o", ms=6, zorder=3, **bar)


def _names(axes: "Axes", steps: Sequence[Step], ladder: Ladder) -> None:
    """Label each point; of two overlapping labels the lower one is moved down."""
    from matplotlib.patheffects import withStroke

    placed: list[tuple[float, float]] = []
    for step in sorted(steps, key=lambda step: -step.some.mean if step.some else 0):
        if step.some is None:
            continue
        x, y = axes.transData.transform((step.minutes, step.some.mean))
        low = y
        for right, down in placed:
            if abs(right - x) < APART[0]:
                low = min(low, down - APART[1])
        placed.append((x, low))
        axes.annotate(
            ladder.name(step),
            (step.minutes, step.some.mean),
            xytext=(8, (low - y) * 72 / axes.figure.dpi),
            textcoords="offset points",
            fontsize=8,
            va="center",
            zorder=4,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
