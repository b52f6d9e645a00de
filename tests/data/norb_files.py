"""Small NORB's binary-matrix files, generated."""

import struct

import numpy as np

from multistage.data.norb import STEMS

BYTES, INTEGERS = 0x1E3D4C55, 0x1E3D4C54
TRAIN_IMAGES, TRAIN_LABELS = f"{STEMS['training']}-dat.mat", f"{STEMS['training']}-cat.mat"
TEST_IMAGES, TEST_LABELS = f"{STEMS['testing']}-dat.mat", f"{STEMS['testing']}-cat.mat"


def matrix(array, magic=None, sizes=None):
    """The original binary-matrix format: magic, number of dimensions, at least three sizes, values."""
    magic = magic or {np.dtype(np.uint8): BYTES, np.dtype(np.int32): INTEGERS}[array.dtype]
    sizes = list(array.shape if sizes is None else sizes)
    padded = sizes + [1] * (3 - len(sizes))
    return struct.pack(f"<Ii{len(padded)}i", magic, len(sizes), *padded) + array.astype(array.dtype).tobytes()


def write(folder, training, testing):
    """Pairs of random pictures with these categories, under the original names."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for stem, categories in zip(STEMS.values(), (training, testing), strict=True):
        pictures = random.integers(0, 256, (len(categories), 2, 96, 96), dtype=np.uint8)
        (folder / f"{stem}-dat.mat").write_bytes(matrix(pictures))
        (folder / f"{stem}-cat.mat").write_bytes(matrix(np.array(categories, np.int32)))
    return folder
