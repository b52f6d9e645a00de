"""The lecture's detector: a filter and a non-linearity, ``sigm(0.02 x * k - 4)`` on gray values from 0 to 255."""

import torch
from torch import Tensor

from multistage.layers import filter_bank

SLOPE, THRESHOLD = 0.02, 4.0


def vertical_edge(size: int = 3) -> Tensor:
    """Return k for an edge from dark (left) to bright (right), [size, size], float32; `size` is odd.

    Columns of W are -1 left of the middle and +1 right of it; k is W flipped, so its signs are the opposite.
    """
    middle = (size - 1) // 2
    return torch.sign(middle - torch.arange(size)).float().expand(size, size).contiguous()


def detector_map(x: Tensor, k: Tensor) -> Tensor:
    """Compute ``sigm(SLOPE x * k - THRESHOLD)``, the detector's confidence at every position.

    Args:
        x: Images [n, 1, height, width], gray values from 0 to 255.
        k: Kernel [size, size].

    Returns:
        From 0 to 1, [n, 1, height - size + 1, width - size + 1].
    """
    return torch.sigmoid(SLOPE * filter_bank(x, k[None, None], squash="none") - THRESHOLD)
