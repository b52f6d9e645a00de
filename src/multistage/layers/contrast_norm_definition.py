"""N as it is defined, in plain operations: the window, the blur, the floor and `definition`.

`contrast_norm` states the equations, and `fast.contrast_norm` computes the same in less time.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from multistage.layers.arithmetic import accumulator, autocasts, safe_sqrt

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
        source = torch.minimum(source, period - source)
    matrix = ((source[:, :, None] == pixel) * window[:, None]).sum(1)
    return matrix / matrix.sum(1, keepdim=True) if border == "renormalise" else matrix


def definition(
    x: Tensor,
    kernel_size: int = 9,
    sigma: float | None = None,
    floor: Floor = "mean",
    border: Border = "zero",
    floor_gradient: bool = True,
) -> Tensor:
    """N as `contrast_norm` writes it, one operation a line; its gradient is left to torch.

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
    deviation = safe_sqrt(blur(v.square().mean(1, keepdim=True)))
    divisor = floored(deviation, mean, floor, floor_gradient)
    return (v / divisor).to(x.dtype)


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
