"""The plain definition of N: the window, the blur, the floor and `definition`.

`contrast_norm` states the equations; `fast.contrast_norm` computes the paper's form faster.
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
"""Smallest sigma, pixels: a Gaussian as narrow as this is a single pixel."""

BORDERS: tuple[Border, ...] = ("zero", "renormalise", "reflect", "replicate")
"""Borders of a blur; ``"torch7"`` is a border of the whole layer."""


def gaussian_window(kernel_size: int, sigma: float | None = None) -> Tensor:
    """Return the 1-D Gaussian whose outer product with itself is the paper's window.

    Args:
        kernel_size: Number of taps, odd.
        sigma: Standard deviation, pixels. None: kernel_size / (4 sqrt 2), which for 9 is 1.59099, the authors' value
            (thesis: 1.591; their code writes it as exp(-(x / 2.25)^2)).

    Returns:
        float64 [kernel_size], sum 1, always on the CPU.

    Raises:
        ValueError: An even or non-positive size, or a sigma below `NARROWEST`.
    """
    if isinstance(kernel_size, tuple | list | float | str | bool):
        raise ValueError(f"kernel_size must be one odd whole number, the side of a square window, not {kernel_size!r}")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and positive, not {kernel_size}")
    sigma = kernel_size / (4 * math.sqrt(2)) if sigma is None else sigma
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
    if sigma < NARROWEST:
        raise ValueError(f"sigma must be at least {NARROWEST} pixels, not {sigma} (to add a number to it, use floor=)")
    offset = torch.arange(kernel_size, dtype=torch.float64, device="cpu") - kernel_size // 2
    window = torch.exp(-((offset / sigma) ** 2) / 2)
    return window / window.sum()


def row(window: Window) -> Window:
    """Convert the weights of a window (list, array or tensor) to a tuple of plain numbers."""
    if isinstance(window, str):
        return window
    weights = window.tolist() if hasattr(window, "tolist") else window
    return tuple(float(each) if isinstance(each, Real) and not isinstance(each, int) else each for each in weights)


def taps(kernel_size: int = 9, sigma: float | None = None, window: Window = "gaussian") -> Tensor:
    """Return the window along one axis: Gaussian, box (equal weights), or the given weights.

    Args:
        kernel_size: Number of taps, odd; for given weights 9 (the default) or their number.
        sigma: Standard deviation of the Gaussian, pixels, as in `gaussian_window`; None for other windows.
        window: ``"gaussian"``, ``"box"`` or weights >= 0, an odd number of them; they need not sum to one.

    Returns:
        float64 [taps], sum 1, on the CPU.

    Raises:
        ValueError: As for `gaussian_window`; an unknown window; weights that are negative, empty, all zero or not
            finite, or whose number is even or not `kernel_size`; a sigma for a window that is not Gaussian.
    """
    if isinstance(window, str) and window == "gaussian":
        return gaussian_window(kernel_size, sigma)
    window = row(window)
    if sigma is not None:
        raise ValueError(f"sigma needs window='gaussian', not window={window!r}")
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
    """Return the blur along one axis of length `size` as a matrix: ``blurred = matrix @ signal``.

    Borders differ in the value of a tap outside: 0 (``zero``), left out and the other taps scaled to sum to one
    (``renormalise``), the mirror image about the outermost pixel (``reflect``), or the outermost pixel
    (``replicate``). Each is well defined for windows larger than the axis.

    Args:
        size: Pixels along the axis.
        window: Taps, [odd].
        border: Values outside.

    Returns:
        [size, size], with the window's type and device.

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
    """Return `blur_matrix` of an axis for the options of `definition`."""
    inside = "renormalise" if border == "torch7" else border
    return blur_matrix(size, taps(kernel_size, sigma, window).to(device, dtype), inside)


def along_axes(matrices: Sequence[Tensor], x: Tensor) -> Tensor:
    """Multiply the last axes of x by matrices, one for each axis, in order."""
    for axis, matrix in enumerate(matrices, -len(matrices)):
        if axis == -1:
            x = x @ matrix.T
        elif axis == -2:
            x = matrix @ x
        else:
            x = (matrix @ x.flatten(axis + 1)).view_as(x)
    return x


def spatial(x: Tensor) -> tuple[int, ...]:
    """Return all axes except samples and maps."""
    return tuple(range(2, x.ndim))


def coverage(sides: Sequence[int], window: Tensor) -> Tensor:
    """Return the fraction of the window around each pixel that is inside an image of the given sides, [*sides]."""
    radius, covered = len(window) // 2, window.new_ones(())
    for size in sides:
        pixel, tap = (torch.arange(a, b, device=window.device) for a, b in ((0, size), (-radius, radius + 1)))
        source = pixel[:, None] + tap
        covered = covered[..., None] * (((source >= 0) & (source < size)) * window).sum(1)
    return covered


def weight_inside(share: Tensor, border: Border, covered: Tensor) -> Tensor:
    """Return the window's weight on pixels inside a mask, the divisor of their mean; 1 where there are none.

    Args:
        share: The blurred mask.
        border: With ``zero``, zeros outside the image count as pixels inside.
        covered: `coverage` of the image.
    """
    return positive(share + (1 - covered) if border == "zero" else share)


def positive(x: Tensor) -> Tensor:
    """Return x, and 1 where it is not positive, to divide by."""
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
    """Compute N as `contrast_norm` writes it, one operation a line, with torch's own gradient.

    `local_contrast_norm` gives the same result, faster for the paper's form. Compilers (``torch.compile``,
    ``torch.export``) and ``torch.func`` see this form, and it can be differentiated any number of times.

    Arguments and result are those of `local_contrast_norm`, unchecked, over all maps. x may have any number of spatial
    axes, [n, maps, ...]; the mask is boolean; `axis_blur` is the function of that name, or a cached version of it.
    """
    wide = x.to(accumulator(x.dtype))
    of_window = deviation_of == "window"
    # a difference of squares loses digits in float32; one-channel maps cost little in float64
    statistic = torch.float64 if of_window else wide.dtype
    # autocast would sum in 16 bits, in the gradient even if it is switched off here; it does not change float64
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
        """Average over the pixels inside; 0 outside, where `map_` is 0."""
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
    if border == "torch7":  # divides the root by the fraction that should divide the square
        deviation = deviation / positive(covered if mask is None else covered * share).sqrt()
    deviation = deviation.to(wide)
    # not v if there is no division: the gradient of the deviation keeps it
    y = v / floored(deviation, mean, floor, floor_gradient, floor_mode, mask) if divide else wide - mean
    return (y.to(x.dtype), mean.to(x.dtype), deviation.to(x.dtype)) if return_statistics else y.to(x.dtype)


def mean_inside(map_: Tensor, mask: Tensor | None = None) -> Tensor:
    """Average a map that is 0 outside over the positions inside a mask; [n, 1, 1, ...]."""
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
    """Return max(c, sigma) or c + sigma, and 1 where that is only the rounding error of a flat region."""
    if floor == "mean":
        c = mean_inside(deviation, mask)
        c = c if floor_gradient else c.detach()
        larger = torch.where(deviation >= c, deviation, c)  # `maximum` would halve the gradient of a map of one pixel
        divisor = larger if mode == "max" else deviation + c
    else:
        divisor = deviation.clamp_min(floor) if mode == "max" else deviation + floor
    rounding = mean.abs() * (4 * torch.finfo(mean.dtype).eps)
    return torch.where(divisor <= rounding, 1, divisor)  # NaN stays NaN
