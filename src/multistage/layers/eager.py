"""What hand-written gradients share: when they may stand in for torch's own, and how they stay in the cache."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


def is_ordinary(x: Tensor) -> bool:
    """Whether `x` is an ordinary tensor in ordinary eager code.

    It is not where torch needs to see each operation: while a graph is captured (``torch.compile``, ``torch.export``),
    inside ``torch.func``, and for subclasses of tensors.
    """
    transformed: bool = torch._C._are_functorch_transforms_active()  # there is no public word for it
    return not torch.compiler.is_compiling() and not transformed and type(x) in (Tensor, nn.Parameter)


def is_ordinary_on_cpu(x: Tensor) -> bool:
    """The same, and in a type that the CPU's libraries compute in."""
    exact = x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and exact and is_ordinary(x)


BLOCK_BYTES = 10 * 2**20
"""Of input, taken together on the CPU (measured for 1 to 38 MB; two Caltech-101 images of 64 maps)."""


def blocks(x: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Samples to take together, and space for a value of each of their inputs: the same, so that it stays cached."""
    whole = x.numel() * x.element_size() <= BLOCK_BYTES or x.device.type != "cpu"
    size = len(x) if whole else max(1, BLOCK_BYTES // (x[0].numel() * x.element_size()))
    scratch = torch.empty_like(x[:size], dtype=dtype)
    for start in range(0, len(x), max(size, 1)):
        yield slice(start, start + size), scratch[: len(x) - start]
