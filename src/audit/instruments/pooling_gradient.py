"""The gradient of the inputs of a pooling window."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Shares(NamedTuple):
    """The gradients of window inputs, if each pooled unit has a gradient of 1.

    Attributes:
        reached: Number of inputs of a window with nonzero gradient, [units].
        largest: The largest gradient, [units].
        total: The sum over all inputs, [units].
        winners: Fraction of windows in which one input, a maximum, gets the whole gradient.
    """

    reached: Tensor
    largest: Tensor
    total: Tensor
    winners: float


def gradient(f: Callable[[Tensor], Tensor], x: Tensor, upstream: Tensor | None = None) -> Tensor:
    """Compute the gradient of sum(upstream * f(x)) with respect to x; upstream is 1 if None."""
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        y = f(x)
        return torch.autograd.grad(y, x, torch.ones_like(y) if upstream is None else upstream)[0]


def shares(pool: Callable[[Tensor], Tensor], x: Tensor, window: int, step: int) -> Shares:
    """Measure the gradients of inputs, for units whose windows do not overlap.

    Args:
        pool: The pooling.
        x: Maps [n, maps, height, width].
        window: Side of its windows, pixels.
        step: Stride, pixels.
    """
    apart = -(-window // step)
    upstream = torch.zeros_like(pool(x))
    upstream[..., ::apart, ::apart] = 1
    windows = [
        F.unfold(maps.flatten(0, 1)[:, None], window, stride=apart * step) for maps in (x, gradient(pool, x, upstream))
    ]
    values, arriving = (w.transpose(1, 2).flatten(0, 1) for w in windows)
    all_to_one = (arriving != 0).sum(1) == 1
    won = values.gather(1, arriving.argmax(1, keepdim=True))[:, 0] == values.amax(1)
    return Shares((arriving != 0).sum(1), arriving.amax(1), arriving.sum(1), float((all_to_one & won).double().mean()))
