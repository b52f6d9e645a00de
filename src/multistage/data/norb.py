"""Small NORB (LeCun, Huang & Bottou 2004): toys of 5 categories, 24,300 stereo pairs each to train and test.

Reads the original binary-matrix files. A file is little-endian: a magic number for the type, the number of dimensions
(at least three sizes follow, unused ones 1), then the values.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

from multistage.data import manifest
from multistage.data.dataset import Dataset, hash_tensors
from multistage.registry.errors import DataError
from multistage.storage import durable

TYPES: dict[int, np.dtype[Any]] = {0x1E3D4C55: np.dtype("u1"), 0x1E3D4C54: np.dtype("<i4")}
MAX_RANK = 8
CLASS_NAMES = ("animal", "human", "plane", "truck", "car")
SOURCE = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
PAIR = (2, 96, 96)
"""Shape of the images of both cameras."""

STEMS = {
    "training": "smallnorb-5x46789x9x18x6x2x96x96-training",
    "testing": "smallnorb-5x01235x9x18x6x2x96x96-testing",
}


def read_norb(folder: Path, maps: int) -> Dataset:
    """Read all pairs, uint8 [48600, maps, 96, 96]; ``data.maps=1`` takes the first camera, 2 both.

    The manifest has the files with known checksums: all but the test images' categories.

    Raises:
        DataError: Missing or damaged files, or files that differ from the manifest.
    """
    found = {(stem, kind): _find(folder, f"{stem}-{kind}.mat") for stem in STEMS.values() for kind in ("dat", "cat")}
    manifest.verify(folder, manifest.read("norb"), ignored=("*",), advice=f"fetch them again from {SOURCE}")
    images, labels = [], []
    for stem in STEMS.values():
        pictures, categories = read_matrix(found[stem, "dat"]), read_matrix(found[stem, "cat"])
        if pictures.shape[1:] != PAIR or categories.shape != pictures.shape[:1]:
            shapes = f"images {pictures.shape} and categories {categories.shape}"
            raise DataError(f"{folder / stem} has {shapes}; expected (n, 2, 96, 96) and (n,)")
        if categories.min() < 0 or categories.max() >= len(CLASS_NAMES):
            raise DataError(
                f"{folder / stem}-cat.mat: categories must be 0 to 4, found {categories.min()} to {categories.max()}"
            )
        images.append(torch.from_numpy(pictures[:, :maps].copy()))
        labels.append(torch.from_numpy(categories.astype(np.int64)))
    all_images, all_labels = torch.cat(images), torch.cat(labels)
    is_test = torch.arange(len(all_labels)) >= len(labels[0])
    names = [str(index) for index in range(len(all_labels))]
    return Dataset(all_images, all_labels, CLASS_NAMES, names, is_test, hash_tensors(all_images, all_labels))


def read_matrix(path: Path) -> np.ndarray:
    """Read one file in NORB's binary-matrix format (bytes or 32-bit integers).

    Raises:
        DataError: Unreadable, unknown type, impossible sizes, or a number of values that differs from the header;
            these are found before reading values.
    """
    try:
        length = path.stat().st_size
        with durable.opened(path) as file:
            start = file.read(8 + 4 * MAX_RANK)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if length < 8:
        raise DataError(f"{path} is truncated: {length} bytes are not a header")
    magic, rank = struct.unpack_from("<Ii", start)
    if magic not in TYPES:
        raise DataError(f"{path} is not a NORB matrix of bytes or integers (magic number {magic:#x})")
    header = 8 + 4 * max(rank, 3)
    if not 1 <= rank <= MAX_RANK or length < header:
        raise DataError(f"{path} has an impossible header: {rank} dimensions in {length} bytes")
    sizes = struct.unpack_from(f"<{rank}i", start, 8)
    values = int(np.prod(sizes, dtype=object))
    if min(sizes) < 1 or length != header + values * TYPES[magic].itemsize:
        raise DataError(
            f"{path} is damaged or truncated: sizes {sizes} need {header + values * TYPES[magic].itemsize} bytes, "
            f"it has {length}"
        )
    return np.fromfile(path, TYPES[magic], offset=header).reshape(sizes)


def _find(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise DataError(
            f"{path} is missing; fetch {name}.gz from {SOURCE} (430 MB in all, "
            f"for research only), unpack it into {folder}, or set data.root"
        )
    return path
