"""Local statistics of maps, before and after N, and N as the lecture writes it.

Local statistics use a Gaussian window whose weights sum to one over the window, or over maps and window together, only
at positions where the window is inside the map, so they do not depend on the border.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from multistage.layers.contrast_norm import blur_matrix, gaussian_window

LECTURE_WINDOW = 7
"""Side of the lecture's window, pixels; the paper's is 9."""


def local_statistics(x: Tensor, kernel_size: int, across_maps: bool = False) -> tuple[Tensor, Tensor]:
    """Compute local mean and standard deviation of maps at each position p, both weighted by the window w around it:

        m_p = sum_iq w_q x_{i, p+q}        s_p = sqrt(sum_iq w_q (x_{i, p+q} - m_p)^2)

    N's own sigma differs from s: it subtracts from each value that value's local mean, not the one at p.

    Args:
        x: Maps [n, maps, height, width].
        kernel_size: Side of the window, pixels, odd.
        across_maps: Whether the sum is over all maps, which then share both statistics, or over each map separately.

    Returns:
        m and s, float64 [n, maps or 1, height - kernel_size + 1, width - kernel_size + 1].

    Raises:
        ValueError: An even window, or one larger than the map.
    """
    if kernel_size > min(x.shape[-2:]):
        raise ValueError(f"kernel_size={kernel_size} exceeds its {x.shape[-2]}x{x.shape[-1]} map")
    x = x.double()
    shift = x.mean((-2, -1), keepdim=True)  # otherwise squares of large values would hide small deviations
    shift = shift.mean(1, keepdim=True) if across_maps else shift
    first, second = (_windowed(power, kernel_size, across_maps) for power in (x - shift, (x - shift).square()))
    return first + shift, (second - first.square()).clamp_min(0).sqrt()


def _windowed(x: Tensor, kernel_size: int, across_maps: bool) -> Tensor:
    x = x.mean(1, keepdim=True) if across_maps else x
    window = gaussian_window(kernel_size).to(x.device)
    n, maps, height, width = x.shape
    x = F.conv2d(x.reshape(-1, 1, height, width), window[None, None, None, :])
    return F.conv2d(x, window[None, None, :, None]).reshape(n, maps, height - kernel_size + 1, -1)


def on_floor(x: Tensor, kernel_size: int = 9) -> Tensor:
    """Find where N divides by its floor c instead of sigma: positions whose sigma is below the mean over positions.

    Args:
        x: Maps [n, maps, height, width]; zeros outside.
        kernel_size: Side of the window, pixels, odd.

    Returns:
        bool [n, 1, height, width].
    """
    v = x.double() - _blurred(x.double(), kernel_size)
    sigma = _blurred(v.square(), kernel_size).sqrt()
    return sigma < sigma.mean((2, 3), keepdim=True)


def lecture_contrast_norm(x: Tensor, kernel_size: int = LECTURE_WINDOW, floor: float = 1e-3) -> Tensor:
    """Apply contrast normalisation by the lecture's formula.

    It sums over all maps with weights that sum to one over the window only, and c is a small constant. For one map it
    is the paper's N except for c. For C maps it subtracts C times their mean, and divides by a deviation that is
    sqrt(C) times that of the mean over maps.

    Args:
        x: Maps [n, maps, height, width]; zeros outside.
        kernel_size: Side of the window, pixels, odd.
        floor: c.

    Returns:
        float64, same shape.
    """
    maps = x.shape[1]
    v = x.double() - maps * _blurred(x.double(), kernel_size)
    return v / (maps * _blurred(v.square(), kernel_size)).sqrt().clamp_min(floor)


def _blurred(x: Tensor, kernel_size: int) -> Tensor:
    """Average over maps and window, zeros outside, [n, 1, height, width]."""
    window = gaussian_window(kernel_size).to(x)
    return blur_matrix(x.shape[-2], window) @ x.mean(1, keepdim=True) @ blur_matrix(x.shape[-1], window).T


def common_share(x: Tensor) -> Tensor:
    """Return the fraction of energy that all maps share: 1 if they are equal, 0 if they cancel.

    Orthogonal, equally strong maps give 1 / maps.

    Args:
        x: Maps [n, maps, height, width].

    Returns:
        [n], the sum over positions of the squared mean over maps, divided by that of the mean square over maps.
    """
    return x.mean(1).square().sum((1, 2)) / x.square().mean(1).sum((1, 2))


def scale_spread(x: Tensor) -> float:
    """Return the spread of scales: the standard deviation over samples of log2 of their root mean square.

    Args:
        x: Maps [n, ...], none of them all zero.

    Returns:
        Octaves.
    """
    return float(x.double().square().flatten(1).mean(1).sqrt().log2().std())


def active(x: Tensor, margin: int) -> Tensor:
    """Return the strongest unit of each map that is at least `margin` from the border.

    Args:
        x: One sample's maps [maps, height, width].
        margin: Pixels.

    Returns:
        int64 [maps, 3]: map, row, column.
    """
    inner = x[:, margin : x.shape[1] - margin, margin : x.shape[2] - margin]
    place = inner.flatten(1).argmax(1)
    width = inner.shape[2]
    maps = torch.arange(len(x), device=x.device)
    return torch.stack([maps, place // width + margin, place % width + margin], 1)
