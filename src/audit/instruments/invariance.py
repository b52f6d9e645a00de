"""Invariance and equivariance of any function of images, on one scale: 0 is exact, 1 is as for unrelated images."""

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
"""From images [n, maps, height, width] to maps of any size and number, for each image separately."""


def change(a: Tensor, b: Tensor) -> Tensor:
    """Measure the difference of responses, image by image: 0 for equal ones, 1 as for unrelated images.

    It is the square root of the mean square difference over the sum of both variances. Variances are taken in each map
    over images and positions, and averaged over maps.

    Args:
        a: Responses [n, maps, ...].
        b: Responses of the same shape.

    Returns:
        [n]; opposite responses of mean 0 give sqrt 2. Infinite if both are flat and differ.
    """
    a, b = a.double(), b.double()
    square = (a - b).square().flatten(1).mean(1)
    variances = [v.transpose(0, 1).flatten(1).var(1, correction=0).mean() for v in (a, b)]
    return torch.where(square > 0, square / (variances[0] + variances[1]), 0).sqrt().float()


def moved(x: Tensor, shift: tuple[int, int], room: int) -> tuple[Tensor, Tensor]:
    """Return two views of images, [n, maps, height - room, width - room]; the second is shifted down and right.

    Both are crops of the image, without padding.

    Args:
        x: Images.
        shift: Pixels down and right, from 0 to `room`.
        room: Difference in size of image and views, pixels.
    """
    down, right = shift
    if not 0 <= min(shift) <= max(shift) <= room:
        raise ValueError(f"a shift must lie between 0 and room={room}, not {shift}")
    height, width = x.shape[-2:]
    return x[..., room:, room:], x[..., room - down : height - down, room - right : width - right]


def invariance_error(f: Function, x: Tensor, transform: Function) -> Tensor:
    """Return the `change` of a function's output when images are transformed, [n].

    Args:
        f: The function.
        x: Images.
        transform: Of images.
    """
    with torch.no_grad():
        return change(f(x), f(transform(x)))


def translation_error(f: Function, x: Tensor, shift: tuple[int, int], room: int) -> Tensor:
    """Return the `change` of the same units when the content moves, [n].

    Args:
        f: The function.
        x: Images.
        shift: Pixels down and right.
        room: As for `moved`.
    """
    with torch.no_grad():
        return change(*map(f, moved(x, shift, room)))


def equivariance_error(
    f: Function, x: Tensor, shift: tuple[int, int], room: int, step: int = 1, margin: int = 0
) -> Tensor:
    """Return the `change` between maps of images and maps of moved images, after moving these back, [n].

    It is taken over the common region. If the shift is not a multiple of the step, maps are moved back by the number of
    positions, rounded up or down, that fits better.

    Args:
        f: The function.
        x: Images.
        shift: Shift of the content, pixels down and right.
        room: As for `moved`.
        step: Pixels of the image per position of the maps.
        margin: Positions left out at each side of the maps, because they depend on the border.
    """
    with torch.no_grad():
        before, after = map(f, moved(x, shift, room))
    tried = [
        change(*_overlap(before, after, (down, right), margin))
        for down in sorted({shift[0] // step, -(-shift[0] // step)})
        for right in sorted({shift[1] // step, -(-shift[1] // step)})
    ]
    return min(tried, key=lambda error: float(error.mean()))


def _overlap(before: Tensor, after: Tensor, shift: tuple[int, int], margin: int) -> tuple[Tensor, Tensor]:
    """Crop maps to the same content before and after a move by a whole number of positions."""
    height, width = (size - 2 * margin for size in before.shape[-2:])
    inside = (..., slice(margin, margin + height), slice(margin, margin + width))
    down, right = shift
    return before[inside][..., : height - down, : width - right], after[inside][..., down:, right:]
