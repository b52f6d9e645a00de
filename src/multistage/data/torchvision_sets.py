"""Read the data sets of `official` by torchvision."""

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
import torchvision.datasets
from torchvision.datasets import VisionDataset

from multistage.data.dataset import Dataset, hash_tensors
from multistage.data.download import download_if_missing
from multistage.registry.errors import DataError, one_line

if TYPE_CHECKING:
    from multistage.data.official import Official


def load_official(data: "Official") -> Dataset:
    """Read both official parts of a data set, training images first.

    Returns:
        uint8 images [n, maps, height, width] with the official split.

    Raises:
        DataError: Unreadable, or missing with a failed download.
    """
    download_if_missing(data)
    parts = [_read(data, train) for train in (True, False)]
    class_names = tuple(parts[0].classes)
    arrays = [torch.as_tensor(np.asarray(part.data)) for part in parts]
    targets = [torch.as_tensor(part.targets) for part in parts]
    counts = [len(part) for part in (*arrays, *targets)]
    labels = torch.cat(targets)
    known = set(labels.tolist()) <= set(range(len(class_names)))
    if counts[:2] != counts[2:] or arrays[0].shape[1:] != arrays[1].shape[1:] or not known:
        damage = "images and labels do not match"
        raise DataError(f"{data.kind} in {data.root} is damaged: {damage}; {data.advice}")
    images = torch.cat([a[:, None] if a.ndim == 3 else a.permute(0, 3, 1, 2) for a in arrays])
    is_test = torch.arange(len(labels)) >= len(arrays[0])
    names = [f"{'test' if test else 'train'}/{index}" for index, test in enumerate(is_test.tolist())]
    return Dataset(images, labels, class_names, names, is_test, hash_tensors(images, labels))


def _read(data: "Official", train: bool) -> VisionDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torchvision only warns about truncated files
        try:
            part: VisionDataset = getattr(torchvision.datasets, data.kind)(data.root, train=train, download=False)
        except Exception as error:
            raise DataError(f"{data.kind} in {data.root} cannot be read ({one_line(error)}); {data.advice}") from None
    return part
