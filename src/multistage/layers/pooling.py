"""P_A and P_M, the pooling layers of the paper (section 2), and L2 pooling.

The superscript in the paper's P^{5x5} is the stride, not the window: its average pooling has 10x10 windows every 5
pixels, `average_pool(x, kernel_size=10, stride=5)`. Its max pooling does not overlap. The keywords ``window``
and ``step`` are accepted for ``kernel_size`` and ``stride``.
"""

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistage.layers.arithmetic import accumulator, safe_sqrt
from multistage.layers.eager import blocks, is_constant_on_cpu, is_ordinary_on_cpu, undifferentiable
from multistage.layers.names import alias, also_called

by_other_names = also_called(window="kernel_size", step="stride")


@by_other_names
def average_pool(x: Tensor, kernel_size: int, stride: int | None = None) -> Tensor:
    """Average every `kernel_size` x `kernel_size` window, one every `stride` pixels, without padding (the paper's P_A).

    Args:
        x: Maps [n, maps, height, width].
        kernel_size: Side of the window, pixels.
        stride: Distance between windows, pixels; `kernel_size` if None.

    Returns:
        [n, maps, (height - kernel_size) // stride + 1, (width - kernel_size) // stride + 1].

    Raises:
        ValueError: `kernel_size` or `stride` below 1, or the window larger than the map.

    Source: paper, section 2, "Average Pooling and Subsampling Layer - P_A". Each input of a window gets
    1 / kernel_size^2 of its gradient. On the CPU, rows and then columns are averaged by matrix products, which is
    faster than torch's own (see results/speed) and saves nothing of the size of `x` for the gradient; NaN and infinity
    spread over the map.
    """
    stride = _checked_stride(x, kernel_size, stride)
    if not is_ordinary_on_cpu(x):
        return F.avg_pool2d(x, kernel_size, stride)
    height, width = x.shape[-2:]
    over_columns = _averages(width, kernel_size, stride).to(x).T
    if kernel_size % stride == 0:  # means of disjoint rows first, then of neighbours: everything is read only once
        height //= stride
        x = x[..., : height * stride, :].reshape(*x.shape[:-2], height, stride, width).mean(-2)
        kernel_size, stride = kernel_size // stride, 1
    rows = x if kernel_size == stride == 1 else _averages(height, kernel_size, stride).to(x) @ x
    return rows @ over_columns


@lru_cache(maxsize=64)
def _averages(size: int, window: int, step: int) -> Tensor:
    """Return average pooling along one axis as a matrix [pooled, size]."""
    with torch.inference_mode(False):
        start = step * torch.arange((size - window) // step + 1, device="cpu")[:, None]
        pixel = torch.arange(size, device="cpu")
        return ((pixel >= start) & (pixel < start + window)).double() / window


@by_other_names
def max_pool(x: Tensor, kernel_size: int, stride: int | None = None) -> Tensor:
    """Take the maximum of every window (the paper's P_M); arguments, result and errors are those of `average_pool`.

    By default windows do not overlap, as in the paper. Only the maximum gets gradient.

    Source: paper, section 2, "Max-Pooling and Subsampling Layer - P_M". On the CPU and without a gradient, the maximum
    is taken of rows and then of columns: torch's own also finds its place, which only the gradient needs.
    """
    stride = _checked_stride(x, kernel_size, stride)
    if is_constant_on_cpu(x):
        return x.unfold(-2, kernel_size, stride).amax(-1).unfold(-1, kernel_size, stride).amax(-1)
    return F.max_pool2d(x, kernel_size, stride)


@by_other_names
def l2_pool(x: Tensor, kernel_size: int, stride: int | None = None) -> Tensor:
    """Take the root mean square of every window; arguments, result and errors are those of `average_pool`.

    An input x of a window with result y gets x / (kernel_size^2 y) of its gradient, and 0 if the whole window is 0.
    Squares are at least float32. torch's ``lp_pool2d`` takes the root of the sum, not of the mean.

    Source: Lp pooling with p = 2 (Sermanet, Chintala & LeCun 2012, arXiv 1204.3968; EBLearn), with equal weights
    instead of Gaussian ones.
    """
    stride = _checked_stride(x, kernel_size, stride)
    wide = x.to(accumulator(x.dtype))
    if is_ordinary_on_cpu(wide):
        squares: Tensor = _MeanSquare.apply(wide, kernel_size, stride)
    else:
        squares = F.avg_pool2d(wide.square(), kernel_size, stride)
    return safe_sqrt(squares).to(x.dtype)


class _MeanSquare(torch.autograd.Function):
    """`average_pool` of x^2; the squares stay in the processor's cache."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel_size: int, stride: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.sizes = kernel_size, stride
        return _mean_square(x, kernel_size, stride)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return undifferentiable(_mean_square_gradient, grad, *ctx.saved_tensors, *ctx.sizes), None, None


def _mean_square(x: Tensor, kernel_size: int, stride: int) -> Tensor:
    parts = [
        average_pool(torch.mul(x[block], x[block], out=scratch), kernel_size, stride)
        for block, scratch in blocks(x, x.dtype)
    ]
    return torch.cat(parts)


def _mean_square_gradient(grad: Tensor, x: Tensor, kernel_size: int, stride: int) -> Tensor:
    """Return 2 x times the gradient of average pooling, P^T grad Q for y = P x Q^T."""
    over_rows, over_columns = (_averages(size, kernel_size, stride).to(x) for size in x.shape[-2:])
    dx = torch.empty_like(x)
    x = x.contiguous()  # like the buffer for shares: `matmul` needs both contiguous
    for block, shares in blocks(x, x.dtype):
        torch.matmul(over_rows.T @ (2 * grad[block]), over_columns, out=shares)
        torch.mul(shares, x[block], out=dx[block])
    return dx


def _checked_stride(x: Tensor, kernel_size: int, stride: int | None) -> int:
    stride = kernel_size if stride is None else stride
    if kernel_size < 1 or stride < 1:
        raise ValueError(f"kernel_size and stride must be at least 1, not kernel_size={kernel_size}, stride={stride}")
    height, width = x.shape[-2:]
    if kernel_size > min(height, width):
        raise ValueError(f"kernel_size={kernel_size} exceeds its {height}x{width} map")
    return stride


class _Pool(nn.Module):
    window, step = alias("kernel_size"), alias("stride")

    @by_other_names
    def __init__(self, kernel_size: int, stride: int | None = None) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}"


class AveragePool(_Pool):
    """Module form of `average_pool`."""

    def forward(self, x: Tensor) -> Tensor:
        return average_pool(x, self.kernel_size, self.stride)


class MaxPool(_Pool):
    """Module form of `max_pool`."""

    def forward(self, x: Tensor) -> Tensor:
        return max_pool(x, self.kernel_size, self.stride)


class L2Pool(_Pool):
    """Module form of `l2_pool`."""

    def forward(self, x: Tensor) -> Tensor:
        return l2_pool(x, self.kernel_size, self.stride)
