"""Images and labels: one file of `sets` a data set, the draws (splits), the preprocessing. Integrity is checked here.

dataset = data_sets["mnist"](root="data").load()
split = Draw(train_per_class=10).of(dataset)
x, y = dataset.pixels(split.train), dataset.labels[split.train]

May import `network` and the rooms below it, not `readout` or `dashboards` beside it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from multistage.registry import Choice, Registry, setting
from multistage.registry.errors import ConfigError
from multistage.registry.rules import NOTHING, either, text, whole

if TYPE_CHECKING:
    from torch import Tensor

    from multistage.data.dataset import Dataset
    from multistage.data.splits import Split

__all__ = ["DataSet", "Draw", "data_sets"]


@dataclass(frozen=True)
class DataSet(Choice):
    """A data set; its fields are its settings, typed as ``data.root``.

    Attributes:
        root_is_content: Whether ``data.root`` says which images these are, rather than where they lie.
    """

    section = "data"
    root_is_content: ClassVar[bool] = False

    root: str = setting("data", text(), bears=False)
    image_size: int = setting(28, whole(1, 4096))
    maps: int = setting(1, whole(1, 3))

    def read(self) -> "Dataset":
        """All images, decoded and verified.

        Raises:
            DataError: One line that names what is missing, changed or unreadable.
        """
        raise NotImplementedError

    def load(self) -> "Dataset":
        """`read`, held against ``data.maps`` and ``data.image_size``.

        Raises:
            DataError: One line that names what is missing, changed or unreadable.
            ConfigError: Sizes that the data set does not have.
        """
        dataset = self.read()
        if dataset.images.shape[1:] != (self.maps, self.image_size, self.image_size):
            found = "x".join(str(size) for size in dataset.images.shape[1:])
            wanted = f"data.maps={self.maps}, data.image_size={self.image_size}"
            raise ConfigError(f"data={self.name} has images {found}; {wanted} do not fit")
        return dataset

    def prepare(self, path: Path) -> "Tensor":
        """An image file as a network trained on this data set takes it, float32 [maps, image_size, image_size].

        Raises:
            DataError: Not an image that can be read.
        """
        import torch

        from multistage.data.dataset import standardise
        from multistage.data.images import read_rgb, resize, to_colour, to_gray

        image = read_rgb(path)
        pixels = to_colour(image) if self.maps == 3 else to_gray(image)[:, :, None]
        planes = torch.from_numpy(resize(pixels, self.image_size, self.image_size)).permute(2, 0, 1)
        return standardise(planes.expand(self.maps, -1, -1)[None])[0]


@dataclass(frozen=True)
class Draw:
    """Which images train, validate and test.

    Attributes:
        draw: Which random choice.
        train_per_class: Training images a class, validation included; None for all (where test images are given).
        test_per_class: At most this many test images a class; None for all that remain.
        validation: How many of the training images of each class are held out.
    """

    draw: int = setting(0, whole(0, 2**63 - 1))
    train_per_class: int | None = setting(None, either(whole(1), NOTHING))
    test_per_class: int | None = setting(None, either(whole(1), NOTHING))
    validation: int = setting(0, whole(0))

    def of(self, dataset: "Dataset") -> "Split":
        """The split of a data set.

        Raises:
            DataError: A class without enough images.
        """
        from multistage.data.splits import draw_split

        return draw_split(dataset, self.draw, self.train_per_class, self.test_per_class, self.validation)


data_sets: Registry[DataSet] = Registry("data", "multistage.data.sets")
