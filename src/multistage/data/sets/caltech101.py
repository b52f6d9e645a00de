"""Caltech-101 with the background class, by the paper's preprocessing."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from multistage.data import Stored, data_sets
from multistage.registry.errors import ConfigError
from multistage.registry.rules import Value

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from multistage.data.dataset import Dataset

MAPS = {"gray": 1, "rgb": 3, "yuv": 3}


@dataclass(frozen=True)
class Preprocessed(Stored):
    """Images of any size that are normalised and padded to a square, gray or in colour.

    Attributes:
        colour: gray, as in the paper, or three maps: rgb, or yuv (luminance and two colour differences).
        preprocessing: lcn: the paper's (section 4), with local contrast normalisation; gcn: only global contrast
            normalisation, mean 0 and deviation 1 of each image, which keeps the colour of large regions.
        variance: Local variance of the preprocessing, see `multistage.data.preprocessing.preprocess`.
        skip_damaged: Leave out files that cannot be read or differ from the manifest.
    """

    colour: Literal["gray", "rgb", "yuv"] = "gray"
    preprocessing: Literal["lcn", "gcn"] = "lcn"
    variance: Literal["one_pass", "two_pass"] = "one_pass"
    skip_damaged: bool = False  # type: ignore[misc]

    def fitted(self) -> dict[str, Value]:
        if self.preprocessing == "gcn" and self.variance != "one_pass":
            raise ConfigError(f"data.variance={self.variance} has no effect with data.preprocessing=gcn; leave it out")
        if self.colour not in MAPS:  # auto, which data=image_folder has
            raise ConfigError(
                f"data.colour={self.colour} is not allowed with data={self.name}; expected one of {', '.join(MAPS)}"
            )
        return {"data.maps": MAPS[self.colour]}

    def load(self) -> "Dataset":
        if self.maps != self.fitted()["data.maps"]:
            raise ConfigError(f"data.maps={self.maps} does not fit data.colour={self.colour}; leave data.maps out")
        return super().load()

    def prepare(self, image: "np.ndarray") -> "Tensor":
        from multistage.data.preprocessing import globally, prepare

        if self.preprocessing == "gcn":
            return globally(image, self.image_size, self.colour)
        return prepare(image, self.image_size, self.variance, self.colour)

    def prepared(self, content: bytes) -> "Tensor":
        """Prepare a file's content, when there is room for its pixels.

        Raises:
            DataError: Not a readable image.
        """
        from multistage.data.images import room

        with room(content):
            return self.prepare(self.decode(content))


@data_sets.register("caltech101", rank=4)
@dataclass(frozen=True)
class Caltech101(Preprocessed):
    """All 9,144 images, see `multistage.data.caltech101`."""

    folder = "caltech101/101_ObjectCategories"

    def read(self) -> "Dataset":
        from multistage.data.caltech101 import read_caltech101

        shape = self.maps, self.image_size, self.image_size
        specification = f"{self.image_size} {self.variance} v1" + (f" {self.colour}" if self.maps == 3 else "")
        specification += " gcn" if self.preprocessing == "gcn" else ""
        return read_caltech101(Path(self.root), shape, self.prepared, specification, self.skip_damaged)
