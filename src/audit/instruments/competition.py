"""Competition: how a unit after contrast normalisation depends on neighbours in its own map and in others."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Neighbours = Literal["places", "maps"]
"""``places``: the same map, other positions of the window; ``maps``: the same position, all other maps."""


def neighbours(shape: torch.Size, unit: Tensor, which: Neighbours, kernel_size: int) -> Tensor:
    """Mark a unit's neighbours.

    Args:
        shape: maps, height, width.
        unit: Its map, row and column, int64 [3].
        which: Neighbours in places or in maps.
        kernel_size: Side of the window, pixels, odd.

    Returns:
        bool [maps, height, width], False at the unit itself.
    """
    map_, row, column = unit.tolist()
    mask = torch.zeros(shape, dtype=torch.bool)
    if which == "maps":
        mask[:, row, column] = True
    else:
        radius = kernel_size // 2
        mask[map_, max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1] = True
    mask[map_, row, column] = False
    return mask


def response_ratio(
    norm: Callable[[Tensor], Tensor],
    x: Tensor,
    units: Tensor,
    which: Neighbours,
    factor: float = 2.0,
    kernel_size: int = 9,
) -> Tensor:
    """Measure how units respond when only their neighbours become `factor` times as active.

    Args:
        norm: From maps [n, maps, height, width] to maps of the same shape.
        x: One sample's maps [maps, height, width], as `norm` takes them.
        units: [m, 3]: map, row, column.
        which: Neighbours in places or in maps.
        factor: For the neighbours' activity.
        kernel_size: Side of the window of neighbours in places, pixels.

    Returns:
        The response with more active neighbours divided by the original one, [m]: below 1 if neighbours inhibit.
    """
    masks = torch.stack([neighbours(x.shape, unit, which, kernel_size) for unit in units])
    places = (torch.arange(len(units)), *units.unbind(1))
    after = norm(torch.where(masks, factor * x, x))
    return after[places] / norm(x[None])[0][tuple(units.unbind(1))]
