"""Patches of feature maps: what unsupervised filters are learned from."""

from collections.abc import Callable

import torch
from torch import Tensor

from multistage.registry.errors import MultistageError

IMAGES = 10_000
"""At most this many training images are looked at."""

FLAT = 0.2
"""Patches that deviate less than this, relative to all maps, are left out: bars around images and uniform regions."""

TRIES = 100
"""Rounds of drawing before maps count as flat."""


class Patches:
    """Patches at random places of random images, flat ones left out; an endless supply that depends on the seed alone.

    Args:
        maps: [n, maps, height, width].
        size: Side, pixels.
        random: Decides which.

    Attributes:
        length: Values of a patch: maps * size * size.

    Source: the second author's `unsup` leaves out patches that deviate by 0.2 or less.
    """

    def __init__(self, maps: Tensor, size: int, random: torch.Generator) -> None:
        self.windows = maps.unfold(2, size, 1).unfold(3, size, 1)  # [n, maps, rows, columns, size, size], a view
        self.length = maps.shape[1] * size * size
        self.random = random
        self.least = FLAT * float(maps.std())

    def draw(self, count: int) -> Tensor:
        """[count, maps, size, size].

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
    """Patches on a device, multiplied so that their mean square is 1.

    Args:
        patches: Where they come from.
        sample: How many of them the mean is taken over.
        device: Where they are wanted.

    Returns:
        What gives a number of them, and the factor.
    """
    scale = 1 / float(patches.draw(sample).square().mean().sqrt())
    return lambda count: patches.draw(count).to(device) * scale, scale
