"""The shapes of contrast normalisation: groups of adjacent maps, masks and empty maps, for any number of axes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}
"""Names of the spatial axes, by their number."""


def in_groups(
    normalise: Callable[[Tensor, Tensor | None], Any],
    x: Tensor,
    mask: Tensor | None,
    groups: int | None,
    return_statistics: bool,
    axes: int = 2,
) -> Any:
    """Normalise each group of maps separately.

    Args:
        normalise: From the maps of each group, [n groups, maps / groups, ...], and their mask (see `inside_of`) to y;
            with `return_statistics` to y, mean and deviation [n groups, 1, ...].
        x: Maps [n, maps, ...] or [maps, ...] with `axes` spatial axes.
        mask: As for `local_contrast_norm`.
        groups: Number of groups; None: as many as maps.
        return_statistics: Whether there are mean and deviation.
        axes: Number of spatial axes.

    Returns:
        y with the shape of x; with `return_statistics` y, mean and deviation [n, groups, ...].

    Raises:
        ValueError: x of wrong shape or not floating point, groups that do not divide the maps, a mask of wrong shape.
    """
    if x.ndim not in (axes + 1, axes + 2) or not x.is_floating_point():
        shape = f"[n, maps, {AXES[axes]}] or [maps, {AXES[axes]}]"
        raise ValueError(f"x must be floating point {shape}, not {x.dtype} {list(x.shape)}")
    maps, sides = x.shape[-axes - 1], x.shape[-axes:]
    count = groups or maps
    if count and maps % count:
        raise ValueError(f"groups must divide the {maps} maps of x, not be {groups}")
    inside = None if mask is None else inside_of(mask, x, count, axes)
    of_groups = *x.shape[: -axes - 1], count, *sides
    if x.numel() == 0 and 0 in x.shape[-axes - 1 :]:
        empty = x.clone(), *(x.new_zeros(of_groups) + x.sum() for _ in range(2))
        return empty if return_statistics else empty[0]
    joined = x if x.ndim == axes + 2 and count == 1 else x.reshape(-1, maps // count, *sides)
    found = normalise(joined, inside)
    if not return_statistics:
        return found if joined is x else found.view_as(x)
    y, *statistics = found
    return y.view_as(x), *(values.reshape(of_groups) for values in statistics)


def inside_of(mask: Tensor, x: Tensor, groups: int, axes: int = 2) -> Tensor:
    """Return the boolean mask of each sample and group, [n groups or 1, 1, ...] with `axes` spatial axes."""
    many, sides = x.ndim == axes + 2, x.shape[-axes:]
    fits = mask.ndim == x.ndim and mask.shape[-axes - 1 :] == (1, *sides)
    if not fits or (many and mask.shape[0] not in (1, x.shape[0])):
        of_one = f"[{'n or 1, ' if many else ''}1, {AXES[axes]}]"
        raise ValueError(f"mask must be {of_one} for x {list(x.shape)}, not {list(mask.shape)}")
    inside = mask if mask.dtype == torch.bool else mask != 0
    inside = inside if many else inside[None]
    return inside if inside.shape[0] == 1 else inside.expand(-1, groups, *sides).flatten(0, 1)[:, None]
