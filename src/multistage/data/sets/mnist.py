"""MNIST (LeCun, Cortes & Burges): 60,000 training and 10,000 test digits, 28x28."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from multistage.data import data_sets
from multistage.data.official import Official

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset

PACKED = ("MNIST/raw/*.gz",)
"""What torchvision leaves beside the files it unpacks."""


@data_sets.register("mnist", rank=1)
@dataclass(frozen=True)
class Mnist(Official):
    """All digits with the official split, uint8 [70000, 1, 28, 28], verified against the manifest."""

    kind, folder, mark = "MNIST", "MNIST/raw", "*-ubyte*"
    source = "put the four unpacked files of MNIST (55 MB, CC BY-SA 3.0)"

    def read(self) -> "Dataset":
        from multistage.data import manifest
        from multistage.data.torchvision_sets import download_if_missing

        root, expected = Path(self.root), manifest.read("mnist")
        if not any((root / name).exists() for name in expected):
            download_if_missing(self)
        manifest.verify(root, expected, ignored=PACKED, below="MNIST")
        return replace(super().read(), class_names=tuple("0123456789"), content_hash=manifest.digest(expected))
