"""P_A and P_M: the pooling layers (section 2 of the paper).

The superscript in the paper's P^{5x5} names the step, not the window: its average pooling looks at 10x10 windows every
5 pixels. Its max pooling does not overlap, so that window and step are the same.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistage.layers.eager import is_ordinary_on_cpu


def average_pool(x: Tensor, window: int, step: int) -> Tensor:
    """P_A: the mean of every `window` x `window` square, one square every `step` pixels, none over the border.

    Args:
        x: Maps [n, maps, height, width].
        window: Side of the square, pixels.
        step: Distance between squares, pixels.

    Returns:
        [n, maps, (height - window) // step + 1, (width - window) // step + 1].

    Raises:
        ValueError: `window` or `step` below 1, or the window larger than the map.

    Source: paper, section 2, "Average Pooling and Subsampling Layer - P_A". Each input of a square gets 1 / window^2 of
    the gradient. On the CPU rows are averaged first, then columns, by a matrix product: faster than torch's own (see
    results/speed), and nothing of the size of `x` is kept for the gradient; what is not finite spreads over a map.
    """
    _check(x, window, step)
    if not is_ordinary_on_cpu(x):
        return F.avg_pool2d(x, window, step)
    height, width = x.shape[-2:]
    over_columns = _averages(width, window, step).to(x).T
    if window % step == 0:  # means of rows that do not overlap, then of neighbours, read everything only once
        height //= step
        x = x[..., : height * step, :].reshape(*x.shape[:-2], height, step, width).mean(-2)
        window, step = window // step, 1
    rows = x if window == step == 1 else _averages(height, window, step).to(x) @ x
    return rows @ over_columns


@lru_cache(maxsize=64)
def _averages(size: int, window: int, step: int) -> Tensor:
    """Average pooling along one axis as a matrix [pooled, size]."""
    with torch.inference_mode(False):
        start = step * torch.arange((size - window) // step + 1, device="cpu")[:, None]
        pixel = torch.arange(size, device="cpu")
        return ((pixel >= start) & (pixel < start + window)).double() / window


def max_pool(x: Tensor, window: int, step: int | None = None) -> Tensor:
    """P_M: the largest value of every `window` x `window` square; squares do not overlap unless `step` says so.

    Args:
        x: Maps [n, maps, height, width].
        window: Side of the square, pixels.
        step: Distance between squares, pixels; `window` if None, as in the paper.

    Returns:
        [n, maps, (height - window) // step + 1, (width - window) // step + 1].

    Raises:
        ValueError: `window` or `step` below 1, or the window larger than the map.

    Source: paper, section 2, "Max-Pooling and Subsampling Layer - P_M". Only the winner gets gradient.
    """
    step = window if step is None else step
    _check(x, window, step)
    return F.max_pool2d(x, window, step)


class AveragePool(nn.Module):
    """Module form of :func:`average_pool`."""

    def __init__(self, window: int, step: int) -> None:
        super().__init__()
        self.window, self.step = window, step

    def forward(self, x: Tensor) -> Tensor:
        return average_pool(x, self.window, self.step)

    def extra_repr(self) -> str:
        return f"window={self.window}, step={self.step}"


class MaxPool(nn.Module):
    """Module form of :func:`max_pool`."""

    def __init__(self, window: int, step: int | None = None) -> None:
        super().__init__()
        self.window, self.step = window, window if step is None else step

    def forward(self, x: Tensor) -> Tensor:
        return max_pool(x, self.window, self.step)

    def extra_repr(self) -> str:
        return f"window={self.window}, step={self.step}"


def _check(x: Tensor, window: int, step: int) -> None:
    if window < 1 or step < 1:
        raise ValueError(f"window and step must be at least 1, not window={window}, step={step}")
    height, width = x.shape[-2:]
    if window > min(height, width):
        raise ValueError(f"window={window} exceeds its {height}x{width} map")
