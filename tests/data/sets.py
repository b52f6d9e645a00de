"""Small data sets in their original formats: `MADE[name](root)` writes one below a data root."""

import hashlib
import pickle
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from data import norb_files
from PIL import Image

from multistage.data.fetching import Packed
from multistage.data.norb import CLASS_NAMES, read_matrix

PHOTOGRAPHS = {f"{name}/image_000{n}.jpg": (40, 50) for name in ("ant", "bee", "cat") for n in range(3)}
PHOTOGRAPHS |= {"ant/image_0001.jpg": (60, 40, 3), "bee/image_0002.jpg": (31, 90)}
PICTURES = {
    "ant/0.jpg": (40, 50),
    "ant/1.png": (40, 50),
    "ant/2.bmp": (40, 50),
    "ant/3.gif": (40, 50),
    "bee/0.JPG": (33, 33, 3),
    "bee/1.png": (9, 200),
    "bee/2.bmp": (1, 7, 3),
}
FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


class Truth(NamedTuple):
    """What a data set with an official split is read as; its last images are those to test."""

    images: np.ndarray  # uint8 [n, maps, side, side], all maps that the files have
    labels: list
    test_count: int
    class_names: tuple


class Made(NamedTuple):
    """A data set below a root."""

    folder: Path
    files: list  # paths, sorted
    truth: Truth | None = None


def write(folder, contents, truth=None):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return Made(folder, sorted(folder.iterdir()), truth)


def write_images(folder, shapes):
    """Smooth waves of these shapes, each its own."""
    for number, (name, (height, width, *channels)) in enumerate(shapes.items()):
        rows, columns = np.mgrid[:height, :width]
        waves = np.rint(128 + 90 * np.sin(rows / (4 + number)) * np.cos(columns / 7 - number)).astype(np.uint8)
        pixels = np.stack([waves, 255 - waves, waves], -1) if channels else waves
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    return Made(folder, [folder / name for name in shapes])


def idx(folder, class_names):
    """The format of MNIST: 12 images to train, 7 to test."""
    random = np.random.default_rng(0)
    contents, images, labels = {}, [], []
    for part, count in (("train", 12), ("t10k", 7)):
        images.append(random.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        labels.append((np.arange(count) % 10).astype(np.uint8))
        for array, kind in ((images[-1], "images-idx3-ubyte"), (labels[-1], "labels-idx1-ubyte")):
            header = struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape)
            contents[f"{part}-{kind}"] = header + array.tobytes()
    return write(
        folder, contents, Truth(np.concatenate(images)[:, None], np.concatenate(labels).tolist(), 7, class_names)
    )


def cifar10(root):
    """Pickled batches of four."""
    random = np.random.default_rng(0)
    batches = {name: random.integers(0, 256, (4, 3072), np.uint8) for name in CIFAR10_BATCHES}
    contents = {name: {"data": pixels, "labels": [0, 3, 9, 3]} for name, pixels in batches.items()}
    contents["batches.meta"] = {"label_names": list(CIFAR10)}
    packed = {name: pickle.dumps(content, protocol=2) for name, content in contents.items()}
    images = np.concatenate(list(batches.values())).reshape(24, 3, 32, 32)
    return write(root / "cifar-10-batches-py", packed, Truth(images, [0, 3, 9, 3] * 6, 4, CIFAR10))


def coil20(root):
    """All views, small: each object has waves of its own, which turn with the view."""
    shapes = {f"obj{number}/obj{number}__{view}.png": (8, 8) for number in range(1, 21) for view in range(72)}
    return write_images(root / "coil20", shapes)


def pixel_digest(files):
    """SHA-256 of the pixels of image files, in their order."""
    return hashlib.sha256(b"".join(np.asarray(Image.open(path)).tobytes() for path in files)).hexdigest()


def norb(root):
    """Five pairs to train, three to test."""
    folder, training, testing = root / "norb", [3, 1, 4, 0, 2], [0, 4, 4]
    norb_files.write(folder, training, testing)
    images = np.concatenate([read_matrix(folder / name) for name in (norb_files.TRAIN_IMAGES, norb_files.TEST_IMAGES)])
    return Made(folder, sorted(folder.iterdir()), Truth(images, training + testing, 3, CLASS_NAMES))


MADE = {
    "caltech101": lambda root: write_images(root / "caltech101/101_ObjectCategories", PHOTOGRAPHS),
    "cifar10": cifar10,
    "coil20": coil20,
    "fashion_mnist": lambda root: idx(root / "FashionMNIST/raw", FASHION),
    "image_folder": lambda root: write_images(root, PICTURES),
    "mnist": lambda root: idx(root / "MNIST/raw", tuple("0123456789")),
    "norb": norb,
}


def packed(files):
    """What a data set says of these files, to be fetched by name."""
    return {name: Packed(len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()}
