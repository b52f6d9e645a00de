"""The digits of the explorer: the first of each class in MNIST's test set, in one committed image.

results/explorer/digits.png     one column per class, `PER_CLASS` rows, 28 x 28 pixels per digit
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from multistage.data.dataset import Dataset

SIDE, CLASSES, PER_CLASS = 28, 10, 2


def choose(dataset: Dataset) -> np.ndarray:
    """Return the first digits of each class in the order of the test set.

    Args:
        dataset: MNIST.

    Returns:
        uint8 [PER_CLASS, CLASSES, SIDE, SIDE].
    """
    assert dataset.is_test is not None
    test = dataset.is_test.nonzero()[:, 0]
    first = [test[dataset.labels[test] == label][:PER_CLASS] for label in range(CLASSES)]
    return np.stack([dataset.images[indices][:, 0].numpy() for indices in first], 1)


def to_png(digits: np.ndarray) -> bytes:
    """Encode digits [rows, columns, SIDE, SIDE] as one image."""
    rows, columns = digits.shape[:2]
    buffer = io.BytesIO()
    Image.fromarray(digits.swapaxes(1, 2).reshape(rows * SIDE, columns * SIDE)).save(buffer, "PNG")
    return buffer.getvalue()


def read(file: Path) -> np.ndarray:
    """Read the digits of a committed image, uint8 [PER_CLASS, CLASSES, SIDE, SIDE]."""
    with Image.open(file) as image:
        return np.asarray(image).reshape(PER_CLASS, SIDE, CLASSES, SIDE).swapaxes(1, 2)
