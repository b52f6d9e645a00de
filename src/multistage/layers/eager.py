"""When a hand-written gradient may stand in for torch's own."""

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
