"""Generated images for tests: a blurred random pattern a class, shifted and drowned in noise."""

import torch
import torch.nn.functional as F

from multistage.data.dataset import Dataset, hash_tensors
from multistage.network.randomness import generator
from multistage.settings.config import Config

PER_CLASS = 40


def load(config: Config) -> Dataset:
    """uint8 [40 * classes, maps, size, size], the same for everyone."""
    classes, maps, side = config["data.classes"], config["data.maps"], config["data.image_size"]
    random = generator(0, "fake")
    patterns = F.avg_pool2d(torch.randn(classes, maps, side + 4, side + 4, generator=random), 5, 1)
    labels = torch.arange(classes).repeat_interleave(PER_CLASS)
    shifts = torch.randint(-2, 3, (len(labels), 2), generator=random).tolist()
    shifted = torch.stack([patterns[y].roll(shift, (1, 2)) for y, shift in zip(labels.tolist(), shifts, strict=True)])
    noisy = shifted + 0.1 * torch.randn(shifted.shape, generator=random)
    images = (128 + 200 * noisy).clamp(0, 255).byte()
    names = [str(index) for index in range(len(labels))]
    return Dataset(
        images, labels, tuple(f"class{n}" for n in range(classes)), names, None, hash_tensors(images, labels)
    )
