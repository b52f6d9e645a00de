"""CIFAR-10 (Krizhevsky): 50,000 training and 10,000 test colour images of 10 classes, 32x32."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multistage.data import Stored, data_sets

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset


@data_sets.register("cifar10", rank=3)
@dataclass(frozen=True)
class Cifar10(Stored):
    """All images with the official split."""

    def read(self) -> "Dataset":
        """uint8 [60000, 3, 32, 32].

        Raises:
            DataError: Missing and not to be downloaded, or unreadable.
        """
        from torchvision.datasets import CIFAR10

        from multistage.data.torchvision_sets import load_official

        root = Path(self.root)
        advice = (
            "fetch https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (170 MB, free with citation), unpack it "
            f"into {root / 'cifar-10-batches-py'}, or set data.root"
        )
        return load_official(CIFAR10, root, advice)
