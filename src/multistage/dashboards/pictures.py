"""Arrays as pixels."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXELS = 320
"""The least side of a picture, as far as whole factors allow."""


def mosaic(kernels: NDArray[Any]) -> NDArray[np.uint8]:
    """All kernels of a filter bank side by side, in order; those of one map stand in one row, next to each other.

    Args:
        kernels: [maps, fan_in, k, k]. One scale for all: gray is 0, black and white are -+ the largest magnitude.

    Returns:
        Gray values [height, width], black lines between kernels.
    """
    maps, fan_in, k, _ = kernels.shape
    largest = float(np.abs(kernels).max()) or 1.0
    columns = fan_in * max(1, math.ceil(math.sqrt(maps / fan_in)))
    rows = math.ceil(maps * fan_in / columns)
    tiles = np.zeros((rows * columns, k + 1, k + 1))
    tiles[: maps * fan_in, :k, :k] = 127.5 + 127.5 * np.asarray(kernels, dtype=float).reshape(-1, k, k) / largest
    picture = tiles.reshape(rows, columns, k + 1, k + 1).swapaxes(1, 2).reshape(rows * (k + 1), columns * (k + 1))
    return _enlarged(picture.round().astype(np.uint8))


def heat(confusion: NDArray[Any]) -> NDArray[np.uint8]:
    """A confusion matrix: the blacker a cell, the larger its part of the row.

    Args:
        confusion: Counts [classes, classes], rows are true classes.

    Returns:
        Gray values [height, width].
    """
    parts = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return _enlarged((255 * (1 - parts)).round().astype(np.uint8))


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = max(1, PIXELS // min(picture.shape))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)
