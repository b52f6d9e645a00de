"""Convolution of one map with one kernel, position by position, as done on paper."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Step(NamedTuple):
    """One position of the result.

    Attributes:
        row: Row of the result.
        column: Column of the result.
        window: The pixels under the kernel, [k, k].
        total: Sum of window times flipped kernel: the result there.
    """

    row: int
    column: int
    window: Tensor
    total: float


def flipped(k: Tensor) -> Tensor:
    """Flip a kernel [..., height, width] along both axes: from k to W, and from W to k."""
    return k.flip(-2, -1)


def steps(x: Tensor, k: Tensor, padding: int = 0) -> Iterator[Step]:
    """Return every position of the convolution of a map with a kernel, row by row.

    Args:
        x: Map [height, width].
        k: Kernel [size, size].
        padding: Zero padding of the map, pixels.
    """
    x, size = F.pad(x, [padding] * 4), len(k)
    for row in range(x.shape[0] - size + 1):
        for column in range(x.shape[1] - size + 1):
            window = x[row : row + size, column : column + size]
            yield Step(row, column, window, float((window * flipped(k)).sum()))


def convolved(x: Tensor, k: Tensor, padding: int = 0) -> Tensor:
    """Return the result of all `steps`, [height + 2 padding - size + 1, width + 2 padding - size + 1]."""
    rows = x.shape[0] + 2 * padding - len(k) + 1
    return torch.tensor([step.total for step in steps(x, k, padding)], dtype=x.dtype).view(rows, -1)


def uses(side: int, size: int, padding: int = 0) -> Tensor:
    """Count the positions of the result that each pixel of a map affects, int64 [side, side].

    Args:
        side: Side of the map, pixels.
        size: Side of the kernel, pixels.
        padding: Zero padding of the map, pixels.
    """
    fields = F.unfold(torch.ones(1, 1, side, side), size, padding=padding)
    return F.fold(fields, (side, side), size, padding=padding)[0, 0].long()


def gradients(x: Tensor, k: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the gradients of sum(upstream * (k * x)) with respect to x and k, tap by tap.

    The result at i is the sum over taps p of k[p] x[i + size - 1 - p], which gives the gradients of pixel and tap. The
    gradient of x is the full convolution of `upstream` with W; that of k is the correlation of x with `upstream`,
    flipped.

    Args:
        x: Map [height, width].
        k: Kernel [size, size].
        upstream: Gradient of the result, [height - size + 1, width - size + 1].

    Returns:
        The gradients of x and of k, each of the same shape.
    """
    dx, dk, size = torch.zeros_like(x), torch.zeros_like(k), len(k)
    height, width = upstream.shape
    for p in range(size):
        for q in range(size):
            top, left = size - 1 - p, size - 1 - q
            dx[top : top + height, left : left + width] += k[p, q] * upstream
            dk[p, q] = (upstream * x[top : top + height, left : left + width]).sum()
    return dx, dk
