"""N: local contrast normalisation over all maps (section 2 of the paper).

With x_i the maps (i = 1..C) and w a Gaussian window whose weights sum to one over maps and window together:

    m_jk     = sum_ipq w_pq x_{i, j+p, k+q}             one local mean, shared by all maps
    v_ijk    = x_ijk - m_jk
    sigma_jk = sqrt(sum_ipq w_pq v_{i, j+p, k+q}^2)     one local deviation, shared by all maps
    y_ijk    = v_ijk / max(c, sigma_jk)                 c = mean over positions of sigma, for each sample

As w is the same for every map, summing over maps first and blurring one map gives exactly the same result with C times
less arithmetic. This is neither ``torch.nn.LocalResponseNorm`` (over channels only, nothing subtracted) nor the local
normalisation of input images (`multistage.data.caltech101.preprocess`: valid border, floor 1).
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from multistage.layers.eager import is_ordinary

Border = Literal["zero", "renormalise", "reflect", "replicate"]
Floor = Literal["mean"] | float

BORDERS = ("zero", "renormalise", "reflect", "replicate")


def gaussian_window(kernel_size: int, sigma: float | None = None) -> Tensor:
    """The 1-D Gaussian whose outer product with itself is the paper's window.

    Args:
        kernel_size: Taps, odd.
        sigma: Standard deviation, pixels. None: kernel_size / (4 sqrt 2), which for 9 is 1.59099, the authors' value
            (thesis: 1.591; their code writes it as exp(-(x / 2.25)^2)).

    Returns:
        float64 [kernel_size], sum 1, on the CPU whatever torch's default device is.

    Raises:
        ValueError: An even or non-positive size, or a sigma that is not positive.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and positive, not {kernel_size}")
    sigma = kernel_size / (4 * math.sqrt(2)) if sigma is None else sigma
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
    offset = torch.arange(kernel_size, dtype=torch.float64, device="cpu") - kernel_size // 2
    window = torch.exp(-((offset / sigma) ** 2) / 2)
    return window / window.sum()


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
    tap = torch.arange(-radius, radius + 1, device=window.device)
    source = pixel[:, None] + tap
    if border == "replicate":
        source = source.clamp(0, size - 1)
    elif border == "reflect":
        period = max(2 * (size - 1), 1)
        source = source.remainder(period)
        source = torch.minimum(source, period - source) if size > 1 else torch.zeros_like(source)
    matrix = ((source[:, :, None] == pixel) * window[:, None]).sum(1)
    return matrix / matrix.sum(1, keepdim=True) if border == "renormalise" else matrix


def local_contrast_norm(
    x: Tensor,
    kernel_size: int = 9,
    sigma: float | None = None,
    floor: Floor = "mean",
    border: Border = "zero",
    across_maps: bool = True,
    floor_gradient: bool = True,
) -> Tensor:
    """N: subtract the local mean, then divide by the local deviation, both taken over all maps.

    Args:
        x: Maps [n, maps, height, width], floating point.
        kernel_size: Side of the Gaussian window, pixels, odd; it may exceed the map.
        sigma: Standard deviation of the window, pixels; None means kernel_size / (4 sqrt 2).
        floor: c, below which the deviation does not divide: ``"mean"`` is the mean of sigma over the positions of a
            sample (the paper), a number >= 0 is a constant.
        border: ``"zero"`` counts outside pixels as zeros (the authors' code), ``"renormalise"`` leaves them out of the
            weighted mean, ``"reflect"`` and ``"replicate"`` continue the map.
        across_maps: False normalises each map by itself, as many ports do.
        floor_gradient: Whether gradient flows through c (EBLearn treats it as a constant).

    Returns:
        Same shape as `x`. Of a flat sample the result is 0 but for rounding (with zeros outside: but for the border),
        and its gradient is finite.

    Raises:
        ValueError: x is not 4-D or not floating point; an even window; an unknown border; a negative floor.

    Source: paper, section 2, "Local Contrast Normalization Layer - N"; window and border from the authors' demo.
    """
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"x must be floating point [n, maps, height, width], not {x.dtype} {list(x.shape)}")
    _check_floor(floor)
    if not across_maps:
        each_map = x.reshape(-1, 1, *x.shape[2:])
        return local_contrast_norm(each_map, kernel_size, sigma, floor, border, True, floor_gradient).view_as(x)

    if not is_ordinary(x):
        return definition(x, kernel_size, sigma, floor, border, floor_gradient)
    from multistage.layers.fast import contrast_norm as contrast_norm_fast

    return contrast_norm_fast.contrast_norm(x, kernel_size, sigma, floor, border, floor_gradient)


def definition(
    x: Tensor,
    kernel_size: int = 9,
    sigma: float | None = None,
    floor: Floor = "mean",
    border: Border = "zero",
    floor_gradient: bool = True,
) -> Tensor:
    """N as written at the top, one operation a line; its gradient is left to torch.

    `local_contrast_norm` gives the same, faster. This form is what compilers see (``torch.compile``, ``torch.export``)
    and ``torch.func``, and it can be differentiated any number of times.

    Args and result: those of `local_contrast_norm`, unchecked, over all maps.
    """
    wide = x.to(accumulator(x.dtype))
    # autocast would sum in 16 bits, in the gradient even where it is switched off here; it leaves float64 as it is
    window = gaussian_window(kernel_size, sigma).to(wide.device, torch.float64 if autocasts(x) else wide.dtype)
    rows = blur_matrix(x.shape[-2], window, border)
    columns = blur_matrix(x.shape[-1], window, border).T

    def blur(map_: Tensor) -> Tensor:
        return (rows @ map_.to(rows) @ columns).to(wide)

    mean = blur(wide.mean(1, keepdim=True))
    v = wide - mean
    deviation = _sqrt(blur(v.square().mean(1, keepdim=True)))
    divisor = floored(deviation, mean, floor, floor_gradient)
    return (v / divisor).to(x.dtype)


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """The type in which sums over values of a type are kept: at least float32."""
    return torch.promote_types(dtype, torch.float32)


def autocasts(x: Tensor) -> bool:
    """Whether autocast is on for the device of a tensor; some, such as meta, have none."""
    device = x.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def floored(deviation: Tensor, mean: Tensor, floor: Floor, floor_gradient: bool = True) -> Tensor:
    """max(c, sigma), and 1 where that is no more than what rounding leaves of a flat image."""
    if floor == "mean":
        c = deviation.mean((2, 3), keepdim=True)
        c = c if floor_gradient else c.detach()
        divisor = torch.where(deviation >= c, deviation, c)  # `maximum` would halve the gradient of a map of one pixel
    else:
        divisor = deviation.clamp_min(floor)
    rounding = mean.abs().amax((2, 3), keepdim=True) * (4 * torch.finfo(mean.dtype).eps)
    return torch.where(divisor > rounding, divisor, 1)


def _check_floor(floor: Floor) -> None:
    if floor != "mean" and not (isinstance(floor, int | float) and floor >= 0):
        raise ValueError(f"floor must be 'mean' or a number >= 0, not {floor!r}")


def _sqrt(x: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0 instead of infinite."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)


class LocalContrastNorm(nn.Module):
    """Module form of :func:`local_contrast_norm`; it has no parameters and works on any number of maps."""

    def __init__(
        self,
        kernel_size: int = 9,
        sigma: float | None = None,
        floor: Floor = "mean",
        border: Border = "zero",
        across_maps: bool = True,
        floor_gradient: bool = True,
    ) -> None:
        super().__init__()
        gaussian_window(kernel_size, sigma)  # refuses what is impossible here rather than at the first batch
        if border not in BORDERS:
            raise ValueError(f"border must be one of {', '.join(BORDERS)}, not {border!r}")
        _check_floor(floor)
        self.kernel_size, self.sigma, self.floor = kernel_size, sigma, floor
        self.border: Border = border
        self.across_maps, self.floor_gradient = across_maps, floor_gradient

    def forward(self, x: Tensor) -> Tensor:
        return local_contrast_norm(
            x, self.kernel_size, self.sigma, self.floor, self.border, self.across_maps, self.floor_gradient
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, floor={self.floor!r}, border={self.border!r}"
