"""The photographs of the explorer: the first test image of some classes of Caltech-101.

results/explorer/photographs/CLASS.png     gray, resized as the paper does it (longer side 151), not yet normalised
"""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from multistage.data import manifest
from multistage.data.caltech101 import SOURCE, folders_dataset
from multistage.data.images import read_image, to_gray
from multistage.data.preprocessing import MARGIN
from multistage.data.resizing import resize_longer_side
from multistage.records.runs import Record
from multistage.registry.errors import DataError
from multistage.settings.tree import parse
from multistage.storage import durable

CLASSES = ("airplanes", "butterfly", "elephant", "emu", "laptop", "nautilus", "pyramid", "watch")
"""Classes that were chosen for their motifs, before any network had classified them."""


def choose(root: Path, record: Record) -> dict[str, np.ndarray]:
    """Return the first test image, by name, of each of `CLASSES`.

    Args:
        root: The data root.
        record: Record of the run whose test images they are.

    Returns:
        Images by class: uint8 [height, width], longer side 151.

    Raises:
        DataError: An image is missing or changed.
    """
    settings, digests = parse(record["config"]), manifest.read("caltech101")
    names = sorted(digests)
    unread = folders_dataset(names, torch.empty(len(names), 0), manifest.digest(digests))
    split = settings.draw.of(unread)
    if split.digest != record["split_hash"]:
        raise DataError(f"the test images of {record['run']} cannot be drawn again; expected those of its record")
    tested = sorted(names[number] for number in split.test.tolist())
    first = {label: next(name for name in tested if name.startswith(f"{label}/")) for label in CLASSES}
    return {
        label: _gray(root / SOURCE.folder / name, digests[name], settings.data.image_size)
        for label, name in first.items()
    }


def _gray(file: Path, digest: str, side: int) -> np.ndarray:
    if not file.exists() or durable.file_digest(file) != digest:
        raise DataError(f"{file} is missing or changed; expected the image of {SOURCE.name}")
    return resize_longer_side(to_gray(read_image(file)), side + 2 * MARGIN)


def write(folder: Path, photographs: dict[str, np.ndarray]) -> None:
    """Save photographs as files of a folder, named by their class."""
    folder.mkdir(parents=True, exist_ok=True)
    for label, pixels in photographs.items():
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        durable.write(folder / f"{label}.png", buffer.getvalue())


def read(folder: Path) -> dict[str, np.ndarray]:
    """Read the photographs of a folder by class, uint8 [height, width]."""
    found = {}
    for file in sorted(folder.glob("*.png")):
        with Image.open(file) as image:
            found[file.stem] = np.asarray(image)
    return found
