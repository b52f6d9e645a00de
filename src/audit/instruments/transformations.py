"""What may happen to an image without its content becoming another. Each takes and returns [n, maps, height, width].

Gray values are from 0 to 255; results may lie outside, as nothing is clipped.
"""

import torch
from torch import Tensor


def moved(x: Tensor, shift: tuple[int, int], room: int) -> tuple[Tensor, Tensor]:
    """Two views of images, [n, maps, height - room, width - room]; in the second, content lies lower and further right.

    Nothing is filled in: both are cut out of the image.

    Args:
        x: Images.
        shift: Pixels down and right, from 0 to `room`.
        room: Pixels that the views are smaller than the image.
    """
    down, right = shift
    if not 0 <= min(shift) <= max(shift) <= room:
        raise ValueError(f"a shift must lie between 0 and room={room}, not {shift}")
    height, width = x.shape[-2:]
    return x[..., room:, room:], x[..., room - down : height - down, room - right : width - right]


def negative(x: Tensor, white: float = 255) -> Tensor:
    """Black for white: ``white - x``; of values about zero, with ``white=0``, the other sign."""
    return white - x


def brightened(x: Tensor, by: float = 40) -> Tensor:
    """Every value raised."""
    return x + by


def contrasted(x: Tensor, factor: float = 0.5, middle: float = 127.5) -> Tensor:
    """Differences from the middle gray scaled."""
    return middle + factor * (x - middle)


def lit(x: Tensor, left: float = 0.5, right: float = 1.5) -> Tensor:
    """Light that changes from left to right: every column scaled, by `left` in the first and `right` in the last."""
    return x * torch.linspace(left, right, x.shape[-1], dtype=x.dtype)
