"""Images and labels: one file per data set, the draws, the preprocessing. Integrity is checked here.

dataset = data.load(config)
split = data.split(dataset, config)
x, y = dataset.pixels(split.train), dataset.labels[split.train]
"""

import importlib
from pathlib import Path

import torch
from torch import Tensor

from multistage.data.dataset import Dataset, standardise
from multistage.data.images import read_rgb, resize, to_colour, to_gray
from multistage.data.splits import Split, draw_split
from multistage.settings.config import Config
from multistage.settings.errors import ConfigError

__all__ = ["Dataset", "Split", "load", "prepare_image", "split"]

LOCALLY_NORMALISED = ("caltech101", "image_folder")
"""Data sets that go through the paper's preprocessing; images of the others are standardised only."""


def load(config: Config) -> Dataset:
    """Read and verify the data set of a configuration.

    Raises:
        DataError: One line that names what is missing, changed or unreadable.
        ConfigError: ``data.maps`` or ``data.image_size`` that the data set does not have.
    """
    dataset: Dataset = importlib.import_module(f"multistage.data.{config['data']}").load(config)
    side, maps = config["data.image_size"], config["data.maps"]
    if dataset.images.shape[1:] != (maps, side, side):
        found = "x".join(str(size) for size in dataset.images.shape[1:])
        raise ConfigError(
            f"data={config['data']} has images {found}; data.maps={maps}, data.image_size={side} do not fit"
        )
    return dataset


def split(dataset: Dataset, config: Config) -> Split:
    """The draw of a configuration.

    Raises:
        DataError: A class without enough images.
    """
    return draw_split(
        dataset,
        config["draw"],
        config["data.train_per_class"],
        config["data.test_per_class"],
        config["data.validation"],
    )


def prepare_image(config: Config, path: Path) -> Tensor:
    """An image file as a network trained with `config` takes it, float32 [maps, size, size].

    Raises:
        DataError: Not an image that can be read.
    """
    image, side = read_rgb(path), config["data.image_size"]
    if config["data"] in LOCALLY_NORMALISED:
        from multistage.data import caltech101

        return caltech101.prepare(image, side, config["data.variance"])
    pixels = to_colour(image) if config["data.maps"] == 3 else to_gray(image)[:, :, None]
    planes = torch.from_numpy(resize(pixels, side, side)).permute(2, 0, 1)
    return standardise(planes.expand(config["data.maps"], -1, -1)[None])[0]
