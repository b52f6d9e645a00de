"""The 1,797 handwritten digits that come with scikit-learn (8x8, from the UCI repository), resized."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multistage.data import DataSet, data_sets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from multistage.data.dataset import Dataset

FILE = "datasets/data/digits.csv.gz"


@data_sets.register("digits", rank=0)
@dataclass(frozen=True)
class Digits(DataSet):
    """All digits; draws choose training and test images."""

    def read(self) -> "Dataset":
        """Read uint8 [1797, 1, size, size], gray levels 0-16 scaled to 0-255."""
        import numpy as np
        import torch

        from multistage.data.dataset import Dataset, hash_tensors
        from multistage.data.resizing import resize

        table, side = _table(), self.image_size
        small = np.rint(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        images = torch.from_numpy(np.stack([resize(image, side, side) for image in small]))[:, None]
        labels = torch.from_numpy(table[:, -1]).long()
        names = [str(index) for index in range(len(labels))]
        content = hash_tensors(torch.from_numpy(small), labels)
        return Dataset(images, labels, tuple("0123456789"), names, None, content)


def _table() -> "NDArray[Any]":
    """Read rows of 64 gray levels and a label, like `sklearn.datasets.load_digits`, whose import takes 2 s."""
    import numpy as np

    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    file = Path(package.origin).parent / FILE
    if file.exists():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])
