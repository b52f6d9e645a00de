"""Argument checks of contrast normalisation; those of its input are in `contrast_norm_groups`."""

from numbers import Real
from typing import get_args

from multistage.layers.contrast_norm_definition import Border, DeviationOf, Floor, FloorMode, gaussian_window

WORDS: dict[str, tuple[str, ...]] = {
    "border": get_args(Border),
    "floor_mode": get_args(FloorMode),
    "deviation_of": get_args(DeviationOf),
}


def check(kernel_size: int, floor: Floor, across_maps: bool, groups: int | None, subtract: bool, divide: bool) -> None:
    """Refuse impossible values."""
    if isinstance(kernel_size, tuple | list):
        gaussian_window(kernel_size)
    if floor != "mean" and not (isinstance(floor, Real) and floor >= 0):
        raise ValueError(f"floor must be 'mean' or a number >= 0, not {floor!r}")
    if groups is not None and (type(groups) is not int or groups < 1):
        raise ValueError(f"groups must be a whole number >= 1, not {groups!r}")
    if groups is not None and not across_maps:
        raise ValueError(f"across_maps=False and groups={groups} contradict each other; give one of the two")
    if not (subtract or divide):
        raise ValueError("subtract=False and divide=False leave nothing to do")


def check_words(**words: str) -> None:
    """Refuse unknown values of options."""
    for name, word in words.items():
        if word not in WORDS[name]:
            raise ValueError(f"{name} must be one of {', '.join(WORDS[name])}, not {word!r}")
