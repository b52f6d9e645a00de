"""Images and labels: data sets (one file of `sets` for each), draws (splits), preprocessing, integrity checks.

dataset, split = drawn(data_sets["mnist"](root="data"), Draw(train_per_class=10))
x, y = dataset.pixels(split.train), dataset.labels[split.train]

May import `network` and the rooms below it, not `readout` or `dashboards` beside it.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from multistage.registry import Choice, Registry, setting
from multistage.registry.errors import ConfigError
from multistage.registry.rules import NOTHING, Rule, Value, either, one_of, text, whole

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    from multistage.data.dataset import Dataset
    from multistage.data.splits import Split

__all__ = ["DataSet", "Draw", "Stored", "data_sets", "drawn", "listed"]

SHARE = Rule("a fraction above 0 and below 1", lambda v: type(v) is float and 0 < v < 1)
"""A fraction of the images of a class. 1.0 is refused, because it could mean all of them, or one."""

SHARED = 0.8
"""Default fraction of training images in each class."""

SKIP_ADVICE = "leave them out with data.skip_damaged=true"


def holds_files(folder: Path) -> bool:
    """Whether this is a folder with something in it."""
    return folder.is_dir() and any(folder.iterdir())


@dataclass(frozen=True)
class DataSet(Choice):
    """A data set; its fields are its settings, typed as ``data.image_size``.

    Attributes:
        folder: Folder of its files, below ``data.root``; "" for a data set without files, or if it is the root itself.
        root_is_content: Whether ``data.root`` identifies the images, instead of only their location.
        skip_damaged: Whether images that cannot be read are left out.
        may_validate: Whether it may have validation images of its own; a listing decides.
    """

    section = "data"
    folder: ClassVar[str] = ""
    root_is_content: ClassVar[bool] = False
    skip_damaged: ClassVar[bool] = False
    may_validate: ClassVar[bool] = False

    image_size: int = setting(28, whole(1, 4096))
    maps: int = setting(1, whole(1, 3))

    def read(self) -> "Dataset":
        """Read, decode and verify all images.

        Raises:
            DataError: One line that names what is missing, changed or unreadable.
        """
        raise NotImplementedError

    def load(self) -> "Dataset":
        """Read all images and compare them with ``data.maps`` and ``data.image_size``.

        Raises:
            DataError: One line that names what is missing, changed or unreadable.
            ConfigError: Sizes that the data set does not have.
        """
        dataset = self.read()
        if tuple(dataset.images.shape[1:]) != (self.maps, self.image_size, self.image_size):
            found = "x".join(str(size) for size in dataset.images.shape[1:])
            wanted = f"data.maps={self.maps}, data.image_size={self.image_size}"
            raise ConfigError(f"data={self.name} has images {found}; {wanted} do not fit")
        return dataset

    def fitted(self) -> dict[str, Value]:
        """Return settings that follow from others or from the images, by key; a run's plan, name and record have them.

        Raises:
            DataError: Images that decide a setting are missing.
        """
        return {}

    def training_images(self, draw: "Draw") -> int | None:
        """Return the number of training images of a draw; None if they cannot be counted before reading."""
        return None

    def decode(self, source: "Path | bytes | Image.Image") -> "np.ndarray":
        """Decode an image as `multistage.data.images.read_image` does.

        Raises:
            DataError: Not a readable image.
        """
        from multistage.data.images import read_image

        return read_image(source)

    def prepare(self, image: "np.ndarray") -> "Tensor":
        """Prepare an image for a network trained on this data set.

        Args:
            image: [h, w] gray or [h, w, 3], of any size and depth.

        Returns:
            float32 [maps, image_size, image_size].
        """
        import torch

        from multistage.data.dataset import standardise
        from multistage.data.images import to_colour, to_gray
        from multistage.data.resizing import resize

        pixels = to_colour(image) if self.maps == 3 else to_gray(image)[:, :, None]
        planes = torch.from_numpy(resize(pixels, self.image_size, self.image_size)).permute(2, 0, 1)
        return standardise(planes.expand(self.maps, -1, -1)[None])[0]


@dataclass(frozen=True)
class Stored(DataSet):
    """A data set with files below a folder.

    Attributes:
        root: The folder; files of conf/data set it from the environment variable MULTISTAGE_DATA.
    """

    root: str = setting("data", text(), bears=False)

    @property
    def place(self) -> Path:
        """Return the path of its files."""
        return Path(self.root) / self.folder

    @property
    def has_files(self) -> bool:
        """Whether there are files in its place, perhaps not all of them."""
        return holds_files(self.place)


@dataclass(frozen=True)
class Draw:
    """Which images train, validate and test.

    Attributes:
        draw: Index of the random choice.
        train_per_class: Training images of each class, including validation: a number; a fraction (below 1); None or
            "all" for all, if the data set has test images; "auto" for all, or `SHARED` if draws choose test images.
        test_per_class: Maximum number of test images of each class; None for all that remain.
        validation: Training images of each class that are held out, a number or a fraction.
    """

    draw: int = setting(0, whole(0, 2**63 - 1))
    train_per_class: float | str | None = setting(None, either(either(whole(1), SHARE), one_of("auto", "all", None)))
    test_per_class: int | None = setting(None, either(whole(1), NOTHING))
    validation: float = setting(0, either(whole(0), SHARE))

    def of(self, dataset: "Dataset") -> "Split":
        """Draw the split of a data set.

        Raises:
            DataError: A class with too few images.
        """
        from multistage.data.splits import draw_split

        wanted = self.train_per_class
        if isinstance(wanted, str):
            wanted = SHARED if wanted == "auto" and dataset.is_test is None else None
        return draw_split(dataset, self.draw, wanted, self.test_per_class, self.validation)


def drawn(data: DataSet, draw: Draw) -> "tuple[Dataset, Split]":
    """Return a data set and its split; for images in files, read those of the split.

    Raises:
        DataError: Missing, changed or unreadable images, or a class with too few of them.
    """
    from multistage.data.files import read_used, refuse, without

    dataset = listed(data)
    while True:
        split = draw.of(dataset)
        ready, unreadable = read_used(dataset, split.used)
        if not unreadable:
            return ready, split
        if not data.skip_damaged:
            refuse(dataset, unreadable, SKIP_ADVICE)
        dataset = without(dataset, unreadable)


@lru_cache(maxsize=1)
def listed(data: DataSet) -> "Dataset":
    """Return a data set before any draw; cached, because the runs of a sweep share it.

    Raises:
        DataError: One line that names what is missing, changed or unreadable.
    """
    return data.load()


def look_again() -> None:
    """Forget what was listed: in a process that trains twice, such as a notebook, files may have changed."""
    from multistage.data.colour import colour_of

    listed.cache_clear()
    colour_of.cache_clear()


data_sets: Registry[DataSet] = Registry("data", "multistage.data.sets")
