"""N: local contrast normalisation over all maps (section 2 of the paper), and the forms of it that other fields use.

With x_i the maps (i = 1..C) and w a Gaussian window whose weights sum to one over maps and window together:

    m_jk     = sum_ipq w_pq x_{i, j+p, k+q}             one local mean, shared by all maps
    v_ijk    = x_ijk - m_jk
    sigma_jk = sqrt(sum_ipq w_pq v_{i, j+p, k+q}^2)     one local deviation, shared by all maps
    y_ijk    = v_ijk / max(c, sigma_jk)                 c = mean over positions of sigma, for each sample

As w is the same for every map, summing over maps first and blurring one map gives exactly the same result with C times
less arithmetic. This is neither ``torch.nn.LocalResponseNorm`` (over channels only, nothing subtracted) nor the local
normalisation of input images (`multistage.data.caltech101.preprocess`: valid border, floor 1).

Options change one thing each: which pixels have a weight (window, border, mask), which maps share m and sigma (groups),
whose deviation sigma is, what divides, and which of the two steps are taken.
"""

from typing import Any, get_args

import torch
from torch import Tensor, nn

from multistage.layers.contrast_norm_definition import (
    BORDERS,
    Border,
    DeviationOf,
    Floor,
    FloorMode,
    Window,
    axis_blur,
    blur_matrix,
    definition,
    gaussian_window,
    taps,
)
from multistage.layers.eager import is_ordinary
from multistage.layers.fast import contrast_norm as fast

__all__ = [
    "BORDERS",
    "Border",
    "DeviationOf",
    "Floor",
    "FloorMode",
    "LocalContrastNorm",
    "Window",
    "blur_matrix",
    "definition",
    "gaussian_window",
    "local_contrast_norm",
    "taps",
]

WORDS: dict[str, tuple[str, ...]] = {
    "border": get_args(Border),
    "floor_mode": get_args(FloorMode),
    "deviation_of": get_args(DeviationOf),
}


def local_contrast_norm(
    x: Tensor,
    kernel_size: int = 9,
    sigma: float | None = None,
    floor: Floor = "mean",
    border: Border = "zero",
    across_maps: bool = True,
    floor_gradient: bool = True,
    *,
    window: Window = "gaussian",
    groups: int | None = None,
    floor_mode: FloorMode = "max",
    deviation_of: DeviationOf = "residual",
    subtract: bool = True,
    divide: bool = True,
    mask: Tensor | None = None,
    return_statistics: bool = False,
) -> Any:
    """N: subtract the local mean, then divide by the local deviation, both taken over all maps.

    Args:
        x: Maps [n, maps, height, width] or [maps, height, width], floating point.
        kernel_size: Side of the window, pixels, odd; it may exceed the map.
        sigma: Standard deviation of the Gaussian window, pixels; None means kernel_size / (4 sqrt 2).
        floor: c, below which the deviation does not divide: ``"mean"`` is the mean of sigma over the positions of a
            sample (the paper), a number >= 0 is a constant.
        border: ``"zero"`` counts outside pixels as zeros (the authors' code), ``"renormalise"`` leaves them out of the
            weighted mean, ``"reflect"`` and ``"replicate"`` continue the map. ``"torch7"`` is ``"renormalise"`` with
            sigma larger by 1 / sqrt(share of the window inside), as in Torch7, which divides the root by that share.
        across_maps: False normalises each map by itself, as many ports do.
        floor_gradient: Whether gradient flows through c (EBLearn treats it as a constant).
        window: ``"gaussian"``, ``"box"`` (all pixels weigh the same), or the weights of one axis, an odd number of
            them, scaled to sum to one: the window is their product with themselves.
        groups: Groups of neighbouring maps that are normalised together, an equal number of maps in each: 1 is all of
            them (the paper), the number of maps is each by itself.
        floor_mode: ``"max"`` divides by max(c, sigma), ``"add"`` by sigma + c.
        deviation_of: What sigma is the deviation of: ``"residual"`` of v, in which each pixel lost the mean around
            itself (the paper), or ``"window"`` of the pixels of the window about their own mean, as in image quality
            and stereo (``sqrt(blur(x^2) - m^2)``, kept in float64).
        subtract: False leaves x as it is; sigma is then the root of its local mean square, unless of the window.
        divide: False leaves v as it is.
        mask: Boolean or numbers, of which 0 is outside; [n or 1, 1, height, width], without the first axis where x is.
            Pixels outside have no weight in means, deviations and c, may hold NaN, come out as 0, with gradient 0.
        return_statistics: Whether to return m and sigma too.

    Returns:
        Same shape and type as `x`. Of a flat sample the result is 0 but for rounding (with zeros outside: but for the
        border), and its gradient is finite. An empty map gives an empty map. With `return_statistics` a tuple: y, m
        and sigma (before c), the last two [n, groups, height, width], with gradients.

    Raises:
        ValueError: x is not 3-D or 4-D or not floating point; an even window, or one given by two numbers; an unknown
            word; a negative floor; groups that do not divide the maps; a mask of another shape; nothing to do.

    Source: paper, section 2, "Local Contrast Normalization Layer - N"; window and border from the authors' demo; of
    other options see `LocalContrastNorm.mscn`, `.active_stereo` and `.torch7`.
    """
    if x.ndim not in (3, 4) or not x.is_floating_point():
        raise ValueError(
            f"x must be floating point [n, maps, height, width] or [maps, height, width], not {x.dtype} {list(x.shape)}"
        )
    _check(kernel_size, floor, across_maps, groups, subtract or divide)
    _check_words(border=border, floor_mode=floor_mode, deviation_of=deviation_of)
    window = window if isinstance(window, str) else tuple(window)
    maps, *sides = x.shape[-3:]
    count = groups or (1 if across_maps else maps)
    if count and maps % count:
        raise ValueError(f"groups must divide the {maps} maps of x, not be {groups}")
    inside = None if mask is None else _inside(mask, x, count)
    if x.numel() == 0 and 0 in x.shape[-3:]:
        empty = x.clone(), *(x.new_zeros((*x.shape[:-3], count, *sides)) + x.sum() for _ in range(2))
        return empty if return_statistics else empty[0]

    joined = x if x.ndim == 4 and across_maps and count == 1 else x.reshape(-1, maps // count, *sides)
    of_the_paper = floor_mode == "max" and deviation_of == "residual" and border != "torch7" and subtract and divide
    ordinary = is_ordinary(x)
    if ordinary and of_the_paper and mask is None and not return_statistics:
        return fast.contrast_norm(joined, kernel_size, sigma, floor, border, floor_gradient, window).view_as(x)
    found = definition(
        joined,
        kernel_size,
        sigma,
        floor,
        border,
        floor_gradient,
        window=window,
        floor_mode=floor_mode,
        deviation_of=deviation_of,
        subtract=subtract,
        divide=divide,
        mask=inside,
        return_statistics=return_statistics,
        axis_blur=fast.axis_blur if ordinary else axis_blur,
    )
    if not return_statistics:
        return found.view_as(x)
    y, *statistics = found
    return y.view_as(x), *(values.reshape(*x.shape[:-3], count, *sides) for values in statistics)


USUAL = {
    "window": "gaussian",
    "groups": None,
    "floor_mode": "max",
    "deviation_of": "residual",
    "subtract": True,
    "divide": True,
    "return_statistics": False,
}
"""What a representation need not show."""


def _inside(mask: Tensor, x: Tensor, groups: int) -> Tensor:
    """The mask, boolean, for each sample and group: [n groups or 1, 1, height, width]."""
    fits = mask.ndim == x.ndim and mask.shape[-3] == 1 and mask.shape[-2:] == x.shape[-2:]
    if not fits or (x.ndim == 4 and mask.shape[0] not in (1, x.shape[0])):
        of_one = "[n or 1, 1, height, width]" if x.ndim == 4 else "[1, height, width]"
        raise ValueError(f"mask must be {of_one} for x {list(x.shape)}, not {list(mask.shape)}")
    inside = mask if mask.dtype == torch.bool else mask != 0
    inside = inside if x.ndim == 4 else inside[None]
    return inside if inside.shape[0] == 1 else inside.expand(-1, groups, -1, -1).flatten(0, 1)[:, None]


def _check(kernel_size: int, floor: Floor, across_maps: bool, groups: int | None, something: bool) -> None:
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


def _check_words(**words: str) -> None:
    for name, word in words.items():
        if word not in WORDS[name]:
            raise ValueError(f"{name} must be one of {', '.join(WORDS[name])}, not {word!r}")


class LocalContrastNorm(nn.Module):
    """Module form of :func:`local_contrast_norm`; it has no parameters and works on any number of maps.

    A mask belongs to its images, and is the second argument of the module: ``norm(x, mask)``.
    """

    def __init__(
        self,
        kernel_size: int = 9,
        sigma: float | None = None,
        floor: Floor = "mean",
        border: Border = "zero",
        across_maps: bool = True,
        floor_gradient: bool = True,
        *,
        window: Window = "gaussian",
        groups: int | None = None,
        floor_mode: FloorMode = "max",
        deviation_of: DeviationOf = "residual",
        subtract: bool = True,
        divide: bool = True,
        return_statistics: bool = False,
    ) -> None:
        super().__init__()
        weights = taps(kernel_size, sigma, window)  # refuses what is impossible here rather than at the first batch
        _check(kernel_size, floor, across_maps, groups, subtract or divide)
        _check_words(border=border, floor_mode=floor_mode, deviation_of=deviation_of)
        self.kernel_size, self.sigma, self.floor = kernel_size, sigma, floor
        self.border: Border = border
        self.across_maps, self.floor_gradient = across_maps, floor_gradient
        self.window: Window = window
        if not isinstance(window, str):
            self.kernel_size, self.window = len(weights), tuple(window)
        self.groups = groups
        self.floor_mode: FloorMode = floor_mode
        self.deviation_of: DeviationOf = deviation_of
        self.subtract, self.divide, self.return_statistics = subtract, divide, return_statistics

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Any:
        return local_contrast_norm(
            x,
            self.kernel_size,
            self.sigma,
            self.floor,
            self.border,
            self.across_maps,
            self.floor_gradient,
            window=self.window,
            groups=self.groups,
            floor_mode=self.floor_mode,
            deviation_of=self.deviation_of,
            subtract=self.subtract,
            divide=self.divide,
            mask=mask,
            return_statistics=self.return_statistics,
        )

    def extra_repr(self) -> str:
        shown = f"kernel_size={self.kernel_size}, floor={self.floor!r}, border={self.border!r}"
        return shown + "".join(
            f", {name}={getattr(self, name)!r}" for name in USUAL if getattr(self, name) != USUAL[name]
        )
