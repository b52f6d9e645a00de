"""Any folder of class folders of images: ``data=image_folder data.root=PATH``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multistage.data import data_sets
from multistage.data.sets.caltech101 import Preprocessed

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset


@data_sets.register("image_folder", rank=6)
@dataclass(frozen=True)
class ImageFolder(Preprocessed):
    """The images of a folder, by the paper's preprocessing, see `multistage.data.image_folder`."""

    root_is_content = True

    def read(self) -> "Dataset":
        from multistage.data.image_folder import read_folder

        return read_folder(Path(self.root), self.image_size, self.variance, self.skip_damaged)
