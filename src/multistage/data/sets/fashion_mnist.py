"""Fashion-MNIST (Zalando): 60,000 training and 10,000 test images of clothes, 28x28."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multistage.data import Stored, data_sets

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset


@data_sets.register("fashion_mnist", rank=2)
@dataclass(frozen=True)
class FashionMnist(Stored):
    """All images with the official split."""

    def read(self) -> "Dataset":
        """uint8 [70000, 1, 28, 28].

        Raises:
            DataError: Missing and not to be downloaded, or unreadable.
        """
        from torchvision.datasets import FashionMNIST

        from multistage.data.torchvision_sets import load_official

        root = Path(self.root)
        advice = (
            "fetch the four files of https://github.com/zalandoresearch/fashion-mnist (30 MB, MIT) into "
            f"{root / 'FashionMNIST/raw'}, or set data.root"
        )
        return load_official(FashionMNIST, root, advice)
