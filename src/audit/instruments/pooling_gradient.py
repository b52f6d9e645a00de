"""Which inputs of a pooling window get gradient, and how much."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Shares(NamedTuple):
    """What arrives inside windows, each of whose units was given a gradient of 1.

    Attributes:
        reached: How many inputs of a window get any, [units].
        largest: The largest share, [units].
        total: Of all inputs, [units].
        winners: Share of windows in which one input gets all and is a largest one.
    """

    reached: Tensor
    largest: Tensor
    total: Tensor
    winners: float


def gradient(f: Callable[[Tensor], Tensor], x: Tensor, upstream: Tensor | None = None) -> Tensor:
    """Gradient of sum(upstream * f(x)) by x; upstream is 1 if None."""
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        y = f(x)
        return torch.autograd.grad(y, x, torch.ones_like(y) if upstream is None else upstream)[0]


def shares(pool: Callable[[Tensor], Tensor], x: Tensor, window: int, step: int) -> Shares:
    """Give gradient to units whose windows do not overlap, and look where it goes.

    Args:
        pool: Pooling.
        x: Maps [n, maps, height, width].
        window: Side of its windows, pixels.
        step: Distance between them, pixels.
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
