"""Draw ``grid.png``: a heat map of rectification and pooling against normalisation. Needs matplotlib."""

from typing import TYPE_CHECKING

import numpy as np

from audit.grid.places import CHOOSING, LEVELS, PAPER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 9.5, 9.0
LIGHT = 0.55
"""Fraction of the value range above which cells are light and their figures dark."""


def draw(values: np.ndarray) -> "Figure":
    """Draw the heat map.

    Args:
        values: Accuracies in %, [rectifications, normalisations, poolings]; NaN where not run.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rectifications, normalisations, poolings = LEVELS
    flat = values.transpose(0, 2, 1).reshape(-1, len(normalisations))
    low, high = np.nanmin(flat), np.nanmax(flat)
    figure = Figure(figsize=(WIDTH, HEIGHT))
    axes = figure.subplots()
    axes.imshow(flat, aspect="auto", cmap="viridis", vmin=low, vmax=high)
    for row, column in np.ndindex(flat.shape):
        value = flat[row, column]
        if np.isfinite(value):
            colour = "black" if value > low + LIGHT * (high - low) else "white"
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color=colour)
    for place in PAPER:
        column = normalisations.index(place.normalise)
        row = rectifications.index(place.rectify) * len(poolings) + poolings.index(place.pool)
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec="#D55E00", lw=2.5, zorder=4))
    for row in range(len(poolings), len(flat), len(poolings)):
        axes.axhline(row - 0.5, color="white", lw=2.5)
    axes.set_xticks(range(len(normalisations)), normalisations, rotation=35, ha="left", fontsize=9)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(flat)), [f"{r} {p}" for r in rectifications for p in poolings], fontsize=8)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel(
        f"accuracy on Caltech-101, %, draw {CHOOSING}, two stages of random frozen filters; outlined: the paper's five"
    )
    return figure
