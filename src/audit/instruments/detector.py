"""The lecture's detector: a filter and a non-linearity, ``sigm(0.02 x * k - 4)`` on gray values from 0 to 255."""

import torch
from torch import Tensor

from multistage.layers import filter_bank

SLOPE, THRESHOLD = 0.02, 4.0


def vertical_edge(size: int = 3) -> Tensor:
    """k of an edge with dark on the left and bright on the right, [size, size], float32; `size` is odd.

    Columns left of the middle of W are -1, those right of it +1; in k, which is W flipped, it is the other way round.
    """
    middle = (size - 1) // 2
    return torch.sign(middle - torch.arange(size)).float().expand(size, size).contiguous()


def detector_map(x: Tensor, k: Tensor) -> Tensor:
    """``sigm(SLOPE x * k - THRESHOLD)``: how sure a detector is, at every position.

    Args:
        x: Images [n, 1, height, width], gray values from 0 to 255.
        k: Kernel [size, size].

    Returns:
        From 0 to 1, [n, 1, height - size + 1, width - size + 1].
    """
    return torch.sigmoid(SLOPE * filter_bank(x, k[None, None], squash="none") - THRESHOLD)
