"""What contrast normalisation refuses, in words, and what it makes of a mask."""

from typing import get_args

import torch
from torch import Tensor

from multistage.layers.contrast_norm_definition import Border, DeviationOf, Floor, FloorMode, gaussian_window

WORDS: dict[str, tuple[str, ...]] = {
    "border": get_args(Border),
    "floor_mode": get_args(FloorMode),
    "deviation_of": get_args(DeviationOf),
}


def inside_of(mask: Tensor, x: Tensor, groups: int) -> Tensor:
    """The mask, boolean, for each sample and group: [n groups or 1, 1, height, width]."""
    fits = mask.ndim == x.ndim and mask.shape[-3] == 1 and mask.shape[-2:] == x.shape[-2:]
    if not fits or (x.ndim == 4 and mask.shape[0] not in (1, x.shape[0])):
        of_one = "[n or 1, 1, height, width]" if x.ndim == 4 else "[1, height, width]"
        raise ValueError(f"mask must be {of_one} for x {list(x.shape)}, not {list(mask.shape)}")
    inside = mask if mask.dtype == torch.bool else mask != 0
    inside = inside if x.ndim == 4 else inside[None]
    return inside if inside.shape[0] == 1 else inside.expand(-1, groups, -1, -1).flatten(0, 1)[:, None]


def check(kernel_size: int, floor: Floor, across_maps: bool, groups: int | None, something: bool) -> None:
    """Refuse numbers that are impossible."""
    if isinstance(kernel_size, tuple | list):
        gaussian_window(kernel_size)
    if floor != "mean" and not (isinstance(floor, int | float) and floor >= 0):
        raise ValueError(f"floor must be 'mean' or a number >= 0, not {floor!r}")
    if groups is not None and (type(groups) is not int or groups < 1):
        raise ValueError(f"groups must be a whole number >= 1, not {groups!r}")
    if groups is not None and not across_maps:
        raise ValueError(f"across_maps=False and groups={groups} say two things: give one of the two")
    if not something:
        raise ValueError("subtract=False and divide=False leave nothing to do")


def check_words(**words: str) -> None:
    """Refuse words that an option does not know."""
    for name, word in words.items():
        if word not in WORDS[name]:
            raise ValueError(f"{name} must be one of {', '.join(WORDS[name])}, not {word!r}")
