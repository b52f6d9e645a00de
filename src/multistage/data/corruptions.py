"""Corrupted test images: eight corruptions at five strengths each.

    test.corrupted=true                    a run tests them all; its record has the accuracy of each

The idea is from Hendrycks & Dietterich (ICLR 2019); their ImageNet-C has other images and corruptions. Here the decoded
image is corrupted (gray if the network takes gray) before any preprocessing, as by the scene and the camera; so what
preprocessing undoes helps every network alike. Levels are in [0, 1], clipped, and then rounded to 8 bits, as in a
camera's file. Without rounding, less contrast would not change the input of a network that divides each image by its
deviation. Lengths are fractions of an image's longer side.

A corruption is a function of (seed, corruption, strength, image) alone. All strengths of an image share the same noise,
direction or place.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from multistage.registry import Choice
from multistage.registry.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from multistage.data import DataSet
    from multistage.data.dataset import Dataset

OCTAVES = range(1, 6)
"""Fog: grids of 2 to 32 random values a side, each with half the amplitude of the one before."""


@dataclass(frozen=True)
class Robustness(Choice):
    """Further tests of a run, besides its test images.

    Attributes:
        corrupted: Whether to test corrupted images too.
    """

    section = "test"

    corrupted: bool = False


class Corruption(NamedTuple):
    """One kind of corruption.

    Attributes:
        change: From levels [h, w, maps] in [0, 1], an amount and a source of randomness to levels of the same shape.
        amounts: The amounts of strengths 1 to 5.
        says: What it does, and what an amount is.
        of_imagenet_c: How the amounts compare with those of Hendrycks & Dietterich.
    """

    change: "Callable[[np.ndarray, float, torch.Generator], np.ndarray]"
    amounts: tuple[float, ...]
    says: str
    of_imagenet_c: str


def contrast(levels: "np.ndarray", kept: float, random: "torch.Generator") -> "np.ndarray":
    """Reduce contrast: levels move towards their mean."""
    mean = levels.mean()
    return mean + kept * (levels - mean)


def lighting(levels: "np.ndarray", lost: float, random: "torch.Generator") -> "np.ndarray":
    """Add a lighting gradient: light falls off linearly across the image, in a random direction."""
    import numpy as np

    down, right = _direction(random)
    height, width = levels.shape[:2]
    ramp = down * np.arange(height)[:, None] + right * np.arange(width)
    ramp = (ramp - ramp.min()) / max(float(np.ptp(ramp)), 1e-12)
    return levels * (1 - lost * ramp[:, :, None])


def fog(levels: "np.ndarray", density: float, random: "torch.Generator") -> "np.ndarray":
    """Add white fog in random clouds, between half of `density` and all of it."""
    import numpy as np
    from scipy import ndimage

    finest = 2 ** OCTAVES[-1] + 1
    clouds = np.zeros((finest, finest))
    for octave in OCTAVES:
        side = 2**octave + 1
        clouds += ndimage.zoom(_uniform(random, side, side), finest / side, order=1) / 2**octave
    clouds = ndimage.zoom(clouds, (levels.shape[0] / finest, levels.shape[1] / finest), order=1)
    clouds = (clouds - clouds.min()) / max(float(np.ptp(clouds)), 1e-12)
    veil = density * (1 + clouds[:, :, None]) / 2
    return levels * (1 - veil) + veil


def noise(levels: "np.ndarray", deviation: float, random: "torch.Generator") -> "np.ndarray":
    """Add independent Gaussian noise to each level."""
    import torch

    return levels + deviation * torch.randn(levels.shape, generator=random).numpy()


def blur(levels: "np.ndarray", deviation: float, random: "torch.Generator") -> "np.ndarray":
    """Apply a Gaussian blur."""
    from scipy import ndimage

    return ndimage.gaussian_filter(levels, deviation * max(levels.shape[:2]), mode="reflect", axes=(0, 1))


def occlusion(levels: "np.ndarray", share: float, random: "torch.Generator") -> "np.ndarray":
    """Cover a random place by a gray rectangle with the image's proportions."""
    hidden = levels.copy()
    top, left = _uniform(random, 2)
    height, width = (round(share**0.5 * side) for side in levels.shape[:2])
    down, right = round(top * (levels.shape[0] - height)), round(left * (levels.shape[1] - width))
    hidden[down : down + height, right : right + width] = 0.5
    return hidden


def shift(levels: "np.ndarray", far: float, random: "torch.Generator") -> "np.ndarray":
    """Shift in a random direction, with reflection beyond the border."""
    from scipy import ndimage

    down, right = _direction(random)
    pixels = far * max(levels.shape[:2])
    return ndimage.shift(levels, (down * pixels, right * pixels, 0), order=1, mode="reflect")


def rotation(levels: "np.ndarray", degrees: float, random: "torch.Generator") -> "np.ndarray":
    """Rotate about the centre in a random direction, with reflection beyond the border."""
    from scipy import ndimage

    side = 1 if _uniform(random, 1)[0] < 0.5 else -1
    return ndimage.rotate(levels, side * degrees, reshape=False, order=1, mode="reflect")


def _uniform(random: "torch.Generator", *shape: int) -> "np.ndarray":
    import torch

    return torch.rand(shape, generator=random, dtype=torch.float64).numpy()


def _direction(random: "torch.Generator") -> tuple[float, float]:
    """Draw a random unit vector: down, right."""
    from math import cos, pi, sin

    angle = 2 * pi * float(_uniform(random, 1)[0])
    return sin(angle), cos(angle)


CORRUPTIONS = {
    "contrast": Corruption(contrast, (0.4, 0.3, 0.2, 0.1, 0.05), "less contrast; share that is kept", "the same"),
    "lighting": Corruption(
        lighting, (0.3, 0.5, 0.7, 0.8, 0.9), "a lighting gradient; share of light lost at its dark end", "not there"
    ),
    "fog": Corruption(
        fog, (0.3, 0.45, 0.6, 0.75, 0.9), "white fog in clouds; its highest density", "other clouds, added to levels"
    ),
    "noise": Corruption(noise, (0.08, 0.12, 0.18, 0.26, 0.38), "Gaussian noise; its deviation", "the same"),
    "blur": Corruption(
        blur,
        (1 / 224, 2 / 224, 3 / 224, 4 / 224, 6 / 224),
        "Gaussian blur; its deviation, of the longer side",
        "the same, of 224 pixels",
    ),
    "occlusion": Corruption(
        occlusion, (0.05, 0.1, 0.2, 0.3, 0.4), "a gray rectangle; its share of the area", "not there"
    ),
    "shift": Corruption(shift, (0.02, 0.05, 0.1, 0.15, 0.2), "a shift; how far, of the longer side", "not there"),
    "rotation": Corruption(rotation, (5, 10, 20, 30, 45), "a rotation; degrees", "not there"),
}
"""By name."""

STRENGTHS = range(1, 6)


def corrupted(pixels: "np.ndarray", name: str, strength: int, random: "torch.Generator") -> "np.ndarray":
    """Corrupt an image.

    Args:
        pixels: uint8 [h, w] or [h, w, maps].
        name: Name of a corruption.
        strength: From 1 to 5; 0: none.
        random: Source of randomness.

    Returns:
        Same shape and type as `pixels`.

    Raises:
        DataError: Pixels of more than 8 bits, whose scale is unknown.
    """
    import numpy as np

    if pixels.dtype != np.uint8:
        raise DataError("test.corrupted=true needs images of 8 bits a level, whose range is known")
    change, amounts, *_ = CORRUPTIONS[name]
    levels = pixels.reshape(*pixels.shape[:2], -1) / 255
    changed = change(levels, amounts[strength - 1], random) if strength else levels
    return np.rint(255 * changed.clip(0, 1)).astype(np.uint8).reshape(pixels.shape)


@dataclass(frozen=True)
class Corrupted:
    """Images of a data set, corrupted and prepared on access.

    Attributes:
        data: The data set's settings, which prepare images from files.
        dataset: The data set.
        name: Name of a corruption.
        strength: From 1 to 5; 0: none.
        seed: Seed of everything random.
    """

    data: "DataSet"
    dataset: "Dataset"
    name: str
    strength: int
    seed: int

    @property
    def dtype(self) -> "torch.dtype":
        """Return the type of prepared images."""
        import torch

        return torch.float32

    @property
    def shape(self) -> Sequence[int]:
        """(n, maps, height, width)."""
        return self.dataset.images.shape

    def __getitem__(self, indices: "Tensor") -> "Tensor":
        """Return prepared images, float32 [len(indices), maps, height, width].

        Raises:
            DataError: An image that cannot be read, or whose decoded levels are not available.
        """
        import torch

        return torch.stack(list(self._each(indices.tolist())))

    def _each(self, numbers: Sequence[int]) -> "Iterator[Tensor]":
        import torch

        from multistage.data.dataset import standardise
        from multistage.data.images import to_colour, to_gray
        from multistage.network.randomness import generator

        dataset = self.dataset
        if not dataset.paths and dataset.images.dtype != torch.uint8:
            raise DataError(f"test.corrupted=true needs decoded images; data={self.data.name} keeps none")
        for number in numbers:
            random = generator(self.seed, f"{self.name} of {dataset.names[number]}")
            if dataset.paths:
                decoded = self.data.decode(Path(dataset.paths[number]))
                pixels = to_gray(decoded) if self.data.maps == 1 else to_colour(decoded)
                yield self.data.prepare(corrupted(pixels, self.name, self.strength, random))
            else:
                planes = dataset.images[torch.tensor([number])][0].permute(1, 2, 0).numpy()
                changed = torch.from_numpy(corrupted(planes, self.name, self.strength, random))
                yield standardise(changed.permute(2, 0, 1)[None])[0]
