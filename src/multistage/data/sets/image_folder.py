"""Any folder of class folders of images: ``data=image_folder data.root=PATH``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from multistage.data import Draw, data_sets, listed
from multistage.data.sets.caltech101 import Preprocessed
from multistage.registry import digest, setting
from multistage.registry.errors import DataError
from multistage.registry.rules import Value, whole

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from multistage.data.dataset import Dataset


@data_sets.register("image_folder", rank=6)
@dataclass(frozen=True)
class ImageFolder(Preprocessed):
    """The images of a folder or list, see `multistage.data.image_folder`.

    Attributes:
        colour: auto: rgb if any image has colour, else gray; the record says which.
        ground: Background of transparent pixels: white, black, or contrast (the one with more contrast).
        max_pixels: Maximum number of pixels; larger images are refused.
    """

    root_is_content = may_validate = True

    colour: Literal["auto", "gray", "rgb", "yuv"] = "auto"  # type: ignore[assignment]
    ground: Literal["contrast", "white", "black"] = "contrast"
    max_pixels: int = setting(50_000_000, whole(1, 10**12), bears=False)

    def fitted(self) -> dict[str, Value]:
        from multistage.data.colour import colour_of

        colour = colour_of(self.root, self.max_pixels) if self.colour == "auto" else self.colour
        return {"data.colour": colour, **Preprocessed.fitted(replace(self, colour=colour))}

    def training_images(self, draw: Draw) -> int:
        try:
            return len(draw.of(listed(self)).train)
        except DataError:  # a run reports this first
            return 1

    def read(self) -> "Dataset":
        from multistage.data.image_folder import list_folder

        shape = self.maps, self.image_size, self.image_size
        specification = f"{digest(replace(self, root='', max_pixels=1))} v4"
        return list_folder(Path(self.root), shape, self.prepared, specification)

    def decode(self, source: "Path | bytes | Image.Image") -> "np.ndarray":
        from multistage.data.images import read_image

        return read_image(source, self.ground, self.max_pixels)
