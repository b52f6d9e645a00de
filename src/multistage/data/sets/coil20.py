"""COIL-20 (Nene, Nayar & Murase 1996): 20 objects on a turntable, 72 views each, 5 degrees apart."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.data import Stored, data_sets
from multistage.registry.errors import DataError

if TYPE_CHECKING:
    from multistage.data.dataset import Dataset

OBJECTS, VIEWS, DEGREES = 20, 72, 5

CONTENT = "7274cbacb79ea6c57340827c9f9301745a8e9b3173dea4aa828e00b49c42946c"
"""SHA-256 of all decoded pixels, object by object and view by view: 1,440 x 128 x 128 bytes."""

ADVICE = (
    "fetch coil-20-proc.zip from https://cave.cs.columbia.edu/repository/COIL-20 (for research only), unpack it there, "
    "or set data.root"
)


@data_sets.register("coil20", rank=6)
@dataclass(frozen=True)
class Coil20(Stored):
    """All views, gray; draws choose the labelled ones."""

    folder = "coil20"

    def read(self) -> "Dataset":
        """Read uint8 [1440, 1, size, size], resized from 128x128; an image's name is its object and angle in degrees.

        Raises:
            DataError: Missing or unreadable views, or pixels that differ from COIL-20's.
        """
        import numpy as np
        import torch

        from multistage.data.dataset import Dataset
        from multistage.data.images import read_image, to_gray
        from multistage.data.resizing import resize
        from multistage.storage import durable

        files = {path.name: path for path in self.place.rglob("obj*__*.png")}
        wanted = [(number, view) for number in range(1, OBJECTS + 1) for view in range(VIEWS)]
        paths = [files.get(f"obj{number}__{view}.png") for number, view in wanted]
        if lacking := [f"obj{n}__{v}.png" for (n, v), path in zip(wanted, paths, strict=True) if path is None]:
            raise DataError(f"{self.place} lacks {len(lacking)} views, {lacking[0]} among them; {ADVICE}")
        decoded = [to_gray(read_image(path)) for path in paths if path]
        content = durable.digest(b"".join(image.tobytes() for image in decoded))
        if content != CONTENT:
            raise DataError(f"{self.place} holds images that are not COIL-20's; {ADVICE}")
        side = self.image_size
        images = torch.from_numpy(np.stack([resize(image, side, side) for image in decoded]))[:, None]
        labels = torch.tensor([number - 1 for number, _ in wanted])
        names = [f"obj{number}/{DEGREES * view}" for number, view in wanted]
        class_names = tuple(f"obj{number}" for number in range(1, OBJECTS + 1))
        return Dataset(images, labels, class_names, names, None, content)


def angle(name: str) -> tuple[str, int]:
    """Return object and degrees from an image's name.

    Raises:
        ValueError: It is not the name of a view.
    """
    found = re.fullmatch(r"(obj\d+)/(\d+)", name)
    if not found:
        raise ValueError(f"{name} is not the name of a view; expected an object and degrees, such as obj7/35")
    return found[1], int(found[2])


def apart(one: int, other: int) -> int:
    """Return the difference of two angles on a circle, at most 180 degrees."""
    turned = abs(one - other) % 360
    return min(turned, 360 - turned)
