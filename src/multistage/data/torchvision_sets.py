"""What MNIST, Fashion-MNIST and CIFAR-10 have in common: torchvision reads and downloads them."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.datasets import VisionDataset

from multistage.data.dataset import Dataset, hash_tensors
from multistage.registry.errors import DataError, one_line

log = logging.getLogger(__name__)


def load_official(kind: Any, root: Path, advice: str) -> Dataset:
    """Both official parts of a torchvision data set, training images first.

    Args:
        kind: A class of `torchvision.datasets` with the arguments root, train, download.
        root: The data root, in torchvision's folder layout.
        advice: What a person has to do where the download fails.

    Returns:
        uint8 images [n, maps, height, width] with the official split.

    Raises:
        DataError: Missing and not to be downloaded, or unreadable.
    """
    download_if_missing(kind, root, advice)
    parts = [_read(kind, root, train, advice) for train in (True, False)]
    class_names = tuple(parts[0].classes)
    arrays = [torch.as_tensor(np.asarray(part.data)) for part in parts]
    targets = [torch.as_tensor(part.targets) for part in parts]
    counts = [len(part) for part in (*arrays, *targets)]
    labels = torch.cat(targets)
    known = set(labels.tolist()) <= set(range(len(class_names)))
    if counts[:2] != counts[2:] or arrays[0].shape[1:] != arrays[1].shape[1:] or not known:
        raise DataError(f"{kind.__name__} in {root} is damaged: images and labels do not belong together; {advice}")
    images = torch.cat([a[:, None] if a.ndim == 3 else a.permute(0, 3, 1, 2) for a in arrays])
    is_test = torch.arange(len(labels)) >= len(arrays[0])
    names = [f"{'test' if test else 'train'}/{index}" for index, test in enumerate(is_test.tolist())]
    return Dataset(images, labels, class_names, names, is_test, hash_tensors(images, labels))


def download_if_missing(kind: Any, root: Path, advice: str) -> None:
    """Let torchvision fetch what is not there; it leaves a complete data set alone.

    Raises:
        DataError: Missing and not to be downloaded.
    """
    try:
        kind(str(root), train=True, download=False), kind(str(root), train=False, download=False)
    except RuntimeError:  # "Dataset not found or corrupted"
        log.warning("%s is not in %s; downloading it", kind.__name__, root)
        try:
            kind(str(root), train=True, download=True)
        except Exception as error:
            raise DataError(
                f"{kind.__name__} is not in {root} and could not be downloaded ({one_line(error)}); {advice}"
            ) from None
    except Exception:
        return  # there, but unreadable: the reader says so


def _read(kind: Any, root: Path, train: bool, advice: str) -> VisionDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torchvision warns rather than raises about half-read files
        try:
            part: VisionDataset = kind(str(root), train=train, download=False)
        except Exception as error:
            raise DataError(f"{kind.__name__} in {root} cannot be read ({one_line(error)}); {advice}") from None
    return part
