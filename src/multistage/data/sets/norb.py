"""Small NORB (LeCun, Huang & Bottou 2004): toys of 5 categories, 24,300 stereo pairs each to train and test."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.data import Stored, data_sets

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset


@data_sets.register("norb", rank=5)
@dataclass(frozen=True)
class Norb(Stored):
    """All views with the official split, see `multistage.data.norb`."""

    folder = "norb"

    def read(self) -> "Dataset":
        from multistage.data.norb import read_norb

        return read_norb(self.place, self.maps)
