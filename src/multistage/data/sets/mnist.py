"""MNIST (LeCun, Cortes & Burges): 60,000 training and 10,000 test digits, 28x28."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from multistage.data import Stored, data_sets

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset

PACKED = ("MNIST/raw/*.gz",)
"""What torchvision leaves beside the files it unpacks."""


@data_sets.register("mnist", rank=1)
@dataclass(frozen=True)
class Mnist(Stored):
    """All digits with the official split, verified against the manifest."""

    def read(self) -> "Dataset":
        """uint8 [70000, 1, 28, 28].

        Raises:
            DataError: Missing and not to be downloaded, changed or stray files.
        """
        from torchvision.datasets import MNIST

        from multistage.data import manifest
        from multistage.data.torchvision_sets import download_if_missing, load_official

        root, expected = Path(self.root), manifest.read("mnist")
        raw = root / "MNIST/raw"
        advice = f"put the four unpacked files of MNIST (55 MB, CC BY-SA 3.0) into {raw}, or set data.root"
        if not any((root / name).exists() for name in expected):
            download_if_missing(MNIST, root, advice)
        manifest.verify(root, expected, ignored=PACKED, below="MNIST")
        dataset = load_official(MNIST, root, advice)
        return replace(dataset, class_names=tuple("0123456789"), content_hash=manifest.digest(expected))
