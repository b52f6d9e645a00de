"""N as it is defined, in plain operations: the window, the blur, the floor and `definition`.

`contrast_norm` states the equations, and `fast.contrast_norm` computes the paper's form in less time.
"""

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Literal

import torch
from torch import Tensor

from multistage.layers.arithmetic import accumulator, autocasts, safe_sqrt

Border = Literal["zero", "renormalise", "reflect", "replicate", "torch7"]
Floor = Literal["mean"] | float
FloorMode = Literal["max", "add"]
Window = Literal["gaussian", "box"] | Sequence[float]
DeviationOf = Literal["residual", "window"]

NARROWEST = 0.1
"""Pixels: a Gaussian of so small a deviation is the pixel itself."""

BORDERS: tuple[Border, ...] = ("zero", "renormalise", "reflect", "replicate")
"""Of a blur; ``"torch7"`` is a border of the whole layer."""


def gaussian_window(kernel_size: int, sigma: float | None = None) -> Tensor:
    """The 1-D Gaussian whose outer product with itself is the paper's window.

    Args:
        kernel_size: Taps, odd.
        sigma: Standard deviation, pixels. None: kernel_size / (4 sqrt 2), which for 9 is 1.59099, the authors' value
            (thesis: 1.591; their code writes it as exp(-(x / 2.25)^2)).

    Returns:
        float64 [kernel_size], sum 1, on the CPU whatever torch's default device is.

    Raises:
        ValueError: An even or non-positive size, or a sigma below `NARROWEST`.
    """
    if isinstance(kernel_size, tuple | list):
        raise ValueError(f"kernel_size must be one odd number, the side of a square window, not {kernel_size}")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and positive, not {kernel_size}")
    sigma = kernel_size / (4 * math.sqrt(2)) if sigma is None else sigma
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
    if sigma < NARROWEST:
        raise ValueError(f"sigma must be at least {NARROWEST} pixels, not {sigma}; what is added to sigma is floor=")
    offset = torch.arange(kernel_size, dtype=torch.float64, device="cpu") - kernel_size // 2
    window = torch.exp(-((offset / sigma) ** 2) / 2)
    return window / window.sum()


def row(window: Window) -> Window:
    """A window as it is kept: a row of weights as plain numbers, whether it was a list, an array or a tensor."""
    if isinstance(window, str):
        return window
    weights = window.tolist() if hasattr(window, "tolist") else window
    return tuple(float(each) if isinstance(each, Real) and not isinstance(each, int) else each for each in weights)


def taps(kernel_size: int = 9, sigma: float | None = None, window: Window = "gaussian") -> Tensor:
    """The window along one axis: Gaussian, box (all weights the same), or the given weights.

    Args:
        kernel_size: Taps, odd; given weights have their own number, and this is 9 or the same.
        sigma: Standard deviation of the Gaussian, pixels, as of `gaussian_window`; no other window has one.
        window: ``"gaussian"``, ``"box"`` or weights >= 0, an odd number of them; they need not sum to one.

    Returns:
        float64 [taps], sum 1, on the CPU.

    Raises:
        ValueError: As of `gaussian_window`; another word for a window; weights that are negative, none, all zero, not
            finite, of an even number or another than `kernel_size`; a sigma for what is no Gaussian.
    """
    if isinstance(window, str) and window == "gaussian":
        return gaussian_window(kernel_size, sigma)
    window = row(window)
    if sigma is not None:
        raise ValueError(f"sigma is the width of the Gaussian window, not of window={window!r}")
    if isinstance(window, str) and window == "box":
        return torch.full_like(gaussian_window(kernel_size), 1 / kernel_size)
    if isinstance(window, str) or not all(isinstance(weight, Real) for weight in window):
        raise ValueError(f"window must be 'gaussian', 'box' or a row of weights, one for each tap, not {window!r}")
    if kernel_size not in (9, len(window)):
        raise ValueError(f"kernel_size is {kernel_size}, but window has {len(window)} weights: give one of the two")
    weights = torch.tensor([float(weight) for weight in window], dtype=torch.float64, device="cpu")
    total = sum(float(weight) for weight in window)
    if len(window) % 2 == 0 or min(window) < 0 or not 0 < total < math.inf:
        raise ValueError(f"window must have an odd number of weights >= 0 with a positive sum, not {window!r}")
    return weights / total


def blur_matrix(size: int, window: Tensor, border: Border = "zero") -> Tensor:
    """Blurring along one axis of length `size`, written as a matrix: ``blurred = matrix @ signal``.

    Borders differ in where a tap that falls outside is taken from: nowhere (``zero``; with the other taps scaled up to
    sum to one: ``renormalise``), from the mirror image about the outermost pixel (``reflect``), or from the outermost
    pixel (``replicate``). Windows larger than the axis are well defined for each.

    Args:
        size: Pixels along the axis.
        window: Taps, [odd].
        border: What lies outside.

    Returns:
        [size, size], in the window's type and on its device.

    Raises:
        ValueError: Unknown border.
    """
    if border not in BORDERS:
        raise ValueError(f"border must be one of {', '.join(BORDERS)}, not {border!r}")
    radius = len(window) // 2
    pixel = torch.arange(size, device=window.device)
    if border in ("zero", "renormalise"):  # at most one tap for each pair of pixels: nothing larger than the result
        place = pixel - pixel[:, None] + radius
        inside = (place >= 0) & (place < len(window))
        matrix = torch.where(inside, window[place.clamp(0, len(window) - 1)], 0)
        return matrix if border == "zero" else matrix / positive(matrix.sum(1, keepdim=True))
    source = pixel[:, None] + torch.arange(-radius, radius + 1, device=window.device)
    if border == "replicate":
        source = source.clamp(0, size - 1)
    else:
        period = max(2 * (size - 1), 1)
        source = source.remainder(period)
        source = torch.minimum(source, period - source)
    return window.new_zeros(size, size).scatter_add(1, source, window.expand(size, -1))


def axis_blur(
    size: int,
    kernel_size: int,
    sigma: float | None,
    window: Window,
    border: Border,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """`blur_matrix` of an axis for the options of `definition`."""
    inside = "renormalise" if border == "torch7" else border
    return blur_matrix(size, taps(kernel_size, sigma, window).to(device, dtype), inside)


def along_axes(matrices: Sequence[Tensor], x: Tensor) -> Tensor:
    """The product of a matrix with each of the last axes of x, one matrix an axis, in their order."""
    for axis, matrix in enumerate(matrices, -len(matrices)):
        if axis == -1:
            x = x @ matrix.T
        elif axis == -2:
            x = matrix @ x
        else:
            x = (matrix @ x.flatten(axis + 1)).view_as(x)
    return x


def spatial(x: Tensor) -> tuple[int, ...]:
    """All axes but those of samples and maps."""
    return tuple(range(2, x.ndim))


def coverage(sides: Sequence[int], window: Tensor) -> Tensor:
    """How much of the window, the product of taps, around each pixel lies inside an image of some sides, [*sides]."""
    radius, covered = len(window) // 2, window.new_ones(())
    for size in sides:
        pixel, tap = (torch.arange(a, b, device=window.device) for a, b in ((0, size), (-radius, radius + 1)))
        source = pixel[:, None] + tap
        covered = covered[..., None] * (((source >= 0) & (source < size)) * window).sum(1)
    return covered


def weight_inside(share: Tensor, border: Border, covered: Tensor) -> Tensor:
    """How much of the window's weight stands on pixels inside a mask, for the mean of these; 1 where nothing does.

    Args:
        share: The mask, blurred.
        border: Zeros outside of the image count as pixels inside.
        covered: `coverage` of the image.
    """
    return positive(share + (1 - covered) if border == "zero" else share)


def positive(x: Tensor) -> Tensor:
    """What can be divided by: x, 1 where it is not positive."""
    return torch.where(x > 0, x, 1)


def definition(
    x: Tensor,
    kernel_size: int = 9,
    sigma: float | None = None,
    floor: Floor = "mean",
    border: Border = "zero",
    floor_gradient: bool = True,
    *,
    window: Window = "gaussian",
    floor_mode: FloorMode = "max",
    deviation_of: DeviationOf = "residual",
    subtract: bool = True,
    divide: bool = True,
    mask: Tensor | None = None,
    return_statistics: bool = False,
    axis_blur: Callable[..., Tensor] = axis_blur,
) -> Any:
    """N as `contrast_norm` writes it, one operation a line; its gradient is left to torch.

    `local_contrast_norm` gives the same, the paper's form faster. This form is what compilers see (``torch.compile``,
    ``torch.export``) and ``torch.func``, and it can be differentiated any number of times.

    Args and result: those of `local_contrast_norm`, unchecked, over all maps, and x may have any number of spatial
    axes, [n, maps, ...]; the mask is boolean; `axis_blur` is the function of that name, or one that remembers its
    results.
    """
    wide = x.to(accumulator(x.dtype))
    of_window = deviation_of == "window"
    # of a difference of squares float32 would leave few digits; maps of one channel cost little in float64
    statistic = torch.float64 if of_window else wide.dtype
    # autocast would sum in 16 bits, in the gradient even where it is switched off here; it leaves float64 as it is
    of_blur = torch.float64 if autocasts(x) else statistic
    matrices = [axis_blur(side, kernel_size, sigma, window, border, of_blur, x.device) for side in x.shape[2:]]

    def blur(map_: Tensor) -> Tensor:
        return along_axes(matrices, map_.to(of_blur)).to(statistic)

    if mask is not None or border == "torch7":
        covered = coverage(x.shape[2:], taps(kernel_size, sigma, window)).to(x.device, statistic)
    if mask is not None:
        wide = torch.where(mask, wide, 0)
        share = weight_inside(blur(mask.to(statistic)), border, covered)

    def average(map_: Tensor) -> Tensor:
        """Over the pixels inside; 0 outside, where `map_` is 0."""
        return blur(map_) if mask is None else torch.where(mask, blur(map_) / share, 0)

    over_maps = wide.mean(1, keepdim=True)
    local = average(over_maps)
    mean = local.to(wide)
    v = wide - mean if subtract else wide
    if not divide and not return_statistics:
        return v.to(x.dtype)
    if of_window:
        square = average((wide - over_maps).square().mean(1, keepdim=True) + over_maps.to(statistic).square())
        variance = square - local.square()
        square = torch.where(variance <= square * (16 * torch.finfo(square.dtype).eps), 0, variance)
    else:
        square = average(v.square().mean(1, keepdim=True))
    deviation = safe_sqrt(square)
    if border == "torch7":  # divides the root by what should divide the square
        deviation = deviation / positive(covered if mask is None else covered * share).sqrt()
    deviation = deviation.to(wide)
    # not v where nothing divides: the gradient of the deviation keeps it
    y = v / floored(deviation, mean, floor, floor_gradient, floor_mode, mask) if divide else wide - mean
    return (y.to(x.dtype), mean.to(x.dtype), deviation.to(x.dtype)) if return_statistics else y.to(x.dtype)


def mean_inside(map_: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over the positions inside a mask, of a map that is 0 outside; [n, 1, 1, ...]."""
    mean = map_.mean(spatial(map_), keepdim=True)
    return mean if mask is None else mean / positive(mask.to(mean).mean(spatial(mask), keepdim=True))


def floored(
    deviation: Tensor,
    mean: Tensor,
    floor: Floor,
    floor_gradient: bool = True,
    mode: FloorMode = "max",
    mask: Tensor | None = None,
) -> Tensor:
    """max(c, sigma) or c + sigma, and 1 where that is no more than what rounding leaves of a flat place."""
    if floor == "mean":
        c = mean_inside(deviation, mask)
        c = c if floor_gradient else c.detach()
        larger = torch.where(deviation >= c, deviation, c)  # `maximum` would halve the gradient of a map of one pixel
        divisor = larger if mode == "max" else deviation + c
    else:
        divisor = deviation.clamp_min(floor) if mode == "max" else deviation + floor
    rounding = mean.abs() * (4 * torch.finfo(mean.dtype).eps)
    return torch.where(divisor <= rounding, 1, divisor)  # what is not a number stays seen
