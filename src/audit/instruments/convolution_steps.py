"""Convolution of one map with one kernel, a position at a time, as it is done by hand."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Step(NamedTuple):
    """One position of the result.

    Attributes:
        row: Of the result.
        column: Of the result.
        window: What lies below the kernel, [k, k].
        total: Window times flipped kernel, summed: the result there.
    """

    row: int
    column: int
    window: Tensor
    total: float


def flipped(k: Tensor) -> Tensor:
    """W of a kernel k [..., height, width], and k of W: turned by half a turn."""
    return k.flip(-2, -1)


def steps(x: Tensor, k: Tensor, padding: int = 0) -> Iterator[Step]:
    """Every position of the convolution of a map with a kernel, row by row.

    Args:
        x: Map [height, width].
        k: Kernel [size, size].
        padding: Rows and columns of zeros put around the map.
    """
    x, size = F.pad(x, [padding] * 4), len(k)
    for row in range(x.shape[0] - size + 1):
        for column in range(x.shape[1] - size + 1):
            window = x[row : row + size, column : column + size]
            yield Step(row, column, window, float((window * flipped(k)).sum()))


def convolved(x: Tensor, k: Tensor, padding: int = 0) -> Tensor:
    """The result of all `steps`, [height + 2 padding - size + 1, width + 2 padding - size + 1]."""
    rows = x.shape[0] + 2 * padding - len(k) + 1
    return torch.tensor([step.total for step in steps(x, k, padding)], dtype=x.dtype).view(rows, -1)


def uses(side: int, size: int, padding: int = 0) -> Tensor:
    """How many positions of the result each pixel of a map bears on, int64 [side, side].

    Args:
        side: Of the map, pixels.
        size: Of the kernel, pixels.
        padding: Zeros around the map, pixels.
    """
    fields = F.unfold(torch.ones(1, 1, side, side), size, padding=padding)
    return F.fold(fields, (side, side), size, padding=padding)[0, 0].long()


def gradients(x: Tensor, k: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of sum(upstream * (k * x)) by x and by k, written out tap by tap.

    A result at i is the sum over taps p of k[p] x[i + size - 1 - p]: so much of its gradient goes to that pixel and to
    that tap. By x it is `upstream` convolved with W over the border ("full"); by k, x correlated with `upstream` and
    flipped.

    Args:
        x: Map [height, width].
        k: Kernel [size, size].
        upstream: Gradient of the result, [height - size + 1, width - size + 1].

    Returns:
        By x, and by k, each of its shape.
    """
    dx, dk, size = torch.zeros_like(x), torch.zeros_like(k), len(k)
    height, width = upstream.shape
    for p in range(size):
        for q in range(size):
            top, left = size - 1 - p, size - 1 - q
            dx[top : top + height, left : left + width] += k[p, q] * upstream
            dk[p, q] = (upstream * x[top : top + height, left : left + width]).sum()
    return dx, dk
