"""Patches of feature maps, for unsupervised learning of filters."""

from collections.abc import Callable

import torch
from torch import Tensor

from multistage.registry.errors import MultistageError

IMAGES = 10_000
"""Maximum number of training images."""

FLAT = 0.2
"""Patches with a smaller standard deviation, relative to all maps, are left out: padding and uniform regions."""

TRIES = 100
"""Rounds of drawing after which maps count as flat."""


class Patches:
    """An endless supply of patches at random places of random images, without flat ones; it depends only on the seed.

    Args:
        maps: [n, maps, height, width].
        size: Side, pixels.
        random: Source of randomness.

    Attributes:
        length: Number of values of a patch: maps * size * size.

    Source: the second author's `unsup` leaves out patches with a standard deviation of 0.2 or less.
    """

    def __init__(self, maps: Tensor, size: int, random: torch.Generator) -> None:
        self.windows = maps.unfold(2, size, 1).unfold(3, size, 1)  # [n, maps, rows, columns, size, size], a view
        self.length = maps.shape[1] * size * size
        self.random = random
        self.least = FLAT * float(maps.std())

    def draw(self, count: int) -> Tensor:
        """Draw patches, [count, maps, size, size].

        Raises:
            MultistageError: All images are flat.
        """
        found: list[Tensor] = []
        for _ in range(TRIES):
            missing = count - sum(map(len, found))
            if missing == 0:
                return torch.cat(found)
            n, _, rows, columns = self.windows.shape[:4]
            image, row, column = (
                torch.randint(limit, (missing,), generator=self.random) for limit in (n, rows, columns)
            )
            drawn = self.windows[image, :, row, column]
            found.append(drawn[drawn.flatten(1).std(1) > self.least])
        raise MultistageError("filters cannot be learned from these images: hardly any patch of them is not flat")


def at_unit_scale(patches: Patches, sample: int, device: torch.device) -> tuple[Callable[[int], Tensor], float]:
    """Scale patches to a mean square of 1, on a device.

    Args:
        patches: The supply.
        sample: Number of patches for the mean.
        device: Device of the scaled patches.

    Returns:
        A function that draws a number of them, and the factor.
    """
    scale = 1 / float(patches.draw(sample).square().mean().sqrt())
    return lambda count: patches.draw(count).to(device) * scale, scale
