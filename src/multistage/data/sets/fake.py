"""Generated images for tests: a blurred random pattern for each class, shifted, in strong noise."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.data import DataSet, data_sets
from multistage.registry import setting
from multistage.registry.rules import whole

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset

PER_CLASS = 40


@data_sets.register("fake", rank=7)
@dataclass(frozen=True)
class Fake(DataSet):
    """Generated images, the same for everyone."""

    classes: int = setting(4, whole(2, 1000))

    def read(self) -> "Dataset":
        """Generate uint8 [40 * classes, maps, size, size]."""
        import torch
        import torch.nn.functional as F

        from multistage.data.dataset import Dataset, hash_tensors
        from multistage.network.randomness import generator

        side, random = self.image_size, generator(0, "fake")
        patterns = F.avg_pool2d(torch.randn(self.classes, self.maps, side + 4, side + 4, generator=random), 5, 1)
        labels = torch.arange(self.classes).repeat_interleave(PER_CLASS)
        shifts = torch.randint(-2, 3, (len(labels), 2), generator=random).tolist()
        placed = zip(labels.tolist(), shifts, strict=True)
        shifted = torch.stack([patterns[label].roll(shift, (1, 2)) for label, shift in placed])
        noisy = shifted + 0.1 * torch.randn(shifted.shape, generator=random)
        images = (128 + 200 * noisy).clamp(0, 255).byte()
        class_names = tuple(f"class{number}" for number in range(self.classes))
        names = [str(index) for index in range(len(labels))]
        return Dataset(images, labels, class_names, names, None, hash_tensors(images, labels))
