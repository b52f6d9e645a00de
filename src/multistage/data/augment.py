"""Augmentation: training images are shown a little otherwise each epoch; off unless asked for.

    augment.mirror=true augment.shift=0.1 augment.rotation=10      or, of all of them, augment=photographs

What happens to an image is a function of (seed, epoch, image) alone: not of batches, devices or what was drawn before.
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from multistage.registry import Choice, setting
from multistage.registry.rules import number

if TYPE_CHECKING:
    from torch import Tensor

ERASED = 0.02, 0.2
"""Fraction of an image that is erased, minimum and maximum."""

ELONGATED = 3.3
"""Maximum aspect ratio of the erased rectangle; the minimum is its inverse (both as in Zhong et al. 2020)."""

NUMBERS = 13
"""Random numbers for each image: six for the affine map, five for erasing, two for mixup.

A further change appends columns from a generator of its own: with another count, all augmented runs would have other
numbers.
"""


@dataclass(frozen=True)
class Augmentation(Choice):
    """Strength of each augmentation; every change is drawn uniformly from a range around none.

    Attributes:
        mirror: Whether to mirror half of the images, left to right.
        shift: Along each axis, as a fraction of the side.
        scale: 0.2 makes images up to 1.2 times larger or smaller.
        rotation: Degrees, in both directions.
        aspect: 0.2 makes images up to 1.2 times wider or narrower for their height.
        erasing: Probability that a rectangle is replaced by the mean, 0 (Zhong et al. 2020).
        mixup: Mix each image and its label with another, with weights from Beta(mixup, mixup); 0: off (Zhang et al.
            2018).
    """

    section = "augment"

    mirror: bool = False
    shift: float = setting(0.0, number(0, 1))
    scale: float = setting(0.0, number(0, 3))
    rotation: float = setting(0.0, number(0, 180))
    aspect: float = setting(0.0, number(0, 3))
    erasing: float = setting(0.0, number(0, 1))
    mixup: float = setting(0.0, number(0, 10))

    @property
    def changes(self) -> bool:
        """Whether there is any augmentation."""
        return any(getattr(self, field.name) for field in fields(self))

    def epoch(self, count: int, seed: int, epoch: int) -> "Tensor":
        """Draw the random numbers of an epoch, uniform in [0, 1): float32 [count, NUMBERS], one row for each image."""
        import torch

        from multistage.network.randomness import generator

        return torch.rand(count, NUMBERS, generator=generator(seed, "augment", epoch))

    def apply(self, x: "Tensor", random: "Tensor") -> "Tensor":
        """Augment images, with bilinear interpolation and reflection beyond the border.

        Args:
            x: float32 [n, maps, height, width].
            random: Their rows of `epoch`, [n, NUMBERS].

        Returns:
            Same shape and type as `x`.
        """
        import torch.nn.functional as F

        if self.mirror or self.shift or self.scale or self.rotation or self.aspect:
            grid = F.affine_grid(self._maps_back(random, x.shape[-2] / x.shape[-1]), list(x.shape), align_corners=False)
            x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
        return self._erase(x, random[:, 6:11]) if self.erasing else x

    def mixed(self, random: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return each image's `mixup` partner in the epoch, int64 [count], and its own weight, float32 [count]."""
        import torch
        from scipy.stats import beta

        weights = torch.from_numpy(beta.ppf(random[:, 12].double().numpy(), self.mixup, self.mixup)).float()
        return random[:, 11].argsort(), weights

    def _maps_back(self, random: "Tensor", height_per_width: float) -> "Tensor":
        """Return affine maps [n, 2, 3] from pixels of the result to those of the image, coordinates from -1 to 1."""
        import torch

        signed = 2 * random - 1
        angle = signed[:, 0] * self.rotation * torch.pi / 180
        size = (1 + self.scale) ** signed[:, 1]
        wide = (1 + self.aspect) ** (signed[:, 2] / 2)
        flip = torch.where(random[:, 3] < 0.5, -1.0, 1.0) if self.mirror else torch.ones_like(angle)
        cos, sin = angle.cos(), angle.sin()
        across, down = flip / (size * wide), wide / size
        rows = [
            torch.stack([cos * across, -sin * across * height_per_width, 2 * self.shift * signed[:, 4]], 1),
            torch.stack([sin * down / height_per_width, cos * down, 2 * self.shift * signed[:, 5]], 1),
        ]
        return torch.stack(rows, 1)

    def _erase(self, x: "Tensor", random: "Tensor") -> "Tensor":
        import torch

        whether, area, elongated, *corner = random[:, :, None, None, None].unbind(1)
        area = ERASED[0] + area * (ERASED[1] - ERASED[0])
        elongated = ELONGATED ** (2 * elongated - 1)
        hit = whether < self.erasing
        for axis, size, start in ((2, (area * elongated).sqrt(), corner[0]), (3, (area / elongated).sqrt(), corner[1])):
            size = size.clamp(max=1)
            centres = (torch.arange(x.shape[axis], device=x.device) + 0.5) / x.shape[axis]
            centres = centres.reshape([-1 if a == axis else 1 for a in range(4)])
            hit = hit & (centres >= start * (1 - size)) & (centres < start * (1 - size) + size)
        return x.masked_fill(hit, 0)
