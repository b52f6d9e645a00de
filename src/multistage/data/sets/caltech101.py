"""Caltech-101 with the background class, by the paper's preprocessing."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from multistage.data import DataSet, data_sets

if TYPE_CHECKING:
    from torch import Tensor

    from multistage.data.dataset import Dataset


@dataclass(frozen=True)
class Preprocessed(DataSet):
    """Images that go through the paper's preprocessing: gray, local normalisation (section 4).

    Attributes:
        variance: Local variance of the preprocessing, see `multistage.data.caltech101.preprocess`.
        skip_damaged: Leave out files that cannot be read or are not those of the manifest.
    """

    variance: Literal["one_pass", "two_pass"] = "one_pass"
    skip_damaged: bool = False

    def prepare(self, path: Path) -> "Tensor":
        from multistage.data import caltech101
        from multistage.data.images import read_rgb

        return caltech101.prepare(read_rgb(path), self.image_size, self.variance)


@data_sets.register("caltech101", rank=4)
@dataclass(frozen=True)
class Caltech101(Preprocessed):
    """All 9,144 images, see `multistage.data.caltech101`."""

    def read(self) -> "Dataset":
        from multistage.data.caltech101 import read_caltech101

        return read_caltech101(Path(self.root), self.image_size, self.variance, self.skip_damaged)
