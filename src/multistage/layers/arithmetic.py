"""Sums and square roots in wide enough types, with finite gradients."""

import torch
from torch import Tensor


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """Return the type for sums over values of a type: at least float32."""
    return torch.promote_types(dtype, torch.float32)


def autocasts(x: Tensor) -> bool:
    """Whether autocast is on for the device of a tensor; some devices, such as meta, have no autocast."""
    device = x.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0 instead of infinite."""
    inside = x != 0  # not `x > 0`, which would turn NaN into 0
    return torch.where(inside, torch.where(inside, x, 1).sqrt(), 0)
