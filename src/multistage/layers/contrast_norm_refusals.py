"""Argument checks of contrast normalisation, and the form of its mask."""

from numbers import Real
from typing import get_args

import torch
from torch import Tensor

from multistage.layers.contrast_norm_definition import Border, DeviationOf, Floor, FloorMode, gaussian_window

WORDS: dict[str, tuple[str, ...]] = {
    "border": get_args(Border),
    "floor_mode": get_args(FloorMode),
    "deviation_of": get_args(DeviationOf),
}


AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}
"""Names of the spatial axes, by their number."""


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


def check(kernel_size: int, floor: Floor, across_maps: bool, groups: int | None, something: bool) -> None:
    """Refuse impossible values."""
    if isinstance(kernel_size, tuple | list):
        gaussian_window(kernel_size)
    if floor != "mean" and not (isinstance(floor, Real) and floor >= 0):
        raise ValueError(f"floor must be 'mean' or a number >= 0, not {floor!r}")
    if groups is not None and (type(groups) is not int or groups < 1):
        raise ValueError(f"groups must be a whole number >= 1, not {groups!r}")
    if groups is not None and not across_maps:
        raise ValueError(f"across_maps=False and groups={groups} contradict each other; give one of the two")
    if not something:
        raise ValueError("subtract=False and divide=False leave nothing to do")


def check_words(**words: str) -> None:
    """Refuse unknown values of options."""
    for name, word in words.items():
        if word not in WORDS[name]:
            raise ValueError(f"{name} must be one of {', '.join(WORDS[name])}, not {word!r}")
