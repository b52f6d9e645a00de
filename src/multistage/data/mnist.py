"""MNIST (LeCun, Cortes & Burges): 60,000 training and 10,000 test digits, 28x28."""

from dataclasses import replace
from pathlib import Path

from torchvision.datasets import MNIST

from multistage.data import manifest
from multistage.data.dataset import Dataset
from multistage.data.torchvision_sets import download_if_missing, load_official
from multistage.settings.config import Config

PACKED = ("MNIST/raw/*.gz",)
"""What torchvision leaves beside the files it unpacks."""


def load(config: Config) -> Dataset:
    """All digits, uint8 [70000, 1, 28, 28], verified against the manifest.

    Raises:
        DataError: Missing and not to be downloaded, changed or stray files.
    """
    root, expected = Path(config["data.root"]), manifest.read("mnist")
    advice = f"put the four unpacked files of MNIST (55 MB, CC BY-SA 3.0) into {root / 'MNIST/raw'}, or set data.root"
    if not any((root / name).exists() for name in expected):
        download_if_missing(MNIST, root, advice)
    manifest.verify(root, expected, ignored=PACKED, below="MNIST")
    dataset = load_official(MNIST, root, advice)
    return replace(dataset, class_names=tuple("0123456789"), content_hash=manifest.digest(expected))
