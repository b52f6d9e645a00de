"""Convert arrays to pictures."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXELS = 320
"""Smallest side of a picture in pixels; small arrays are enlarged by whole factors."""


def tiles(kernels: NDArray[Any]) -> NDArray[Any]:
    """Arrange a filter bank as tiles, one per kernel; a kernel over three maps is one tile in colour.

    Args:
        kernels: [maps, fan_in, k, k]; three inputs are shown as red, green and blue (false colours if
            `data.colour=yuv`).

    Returns:
        [maps, k, k, 3] with a fan-in of three, else [maps * fan_in, k, k]; the same values.
    """
    if kernels.shape[1] == 3:
        return np.moveaxis(kernels, 1, -1)
    return kernels.reshape(-1, *kernels.shape[2:])


def mosaic(kernels: NDArray[Any]) -> NDArray[np.uint8]:
    """Draw all kernels of a filter bank side by side, in order; those of one map are next to each other in one row.

    Args:
        kernels: [maps, fan_in, k, k]. One scale for all: gray is 0, black and white are -+ the largest magnitude.

    Returns:
        Gray values [height, width], with a fan-in of three colours [height, width, 3]; black lines between kernels.
    """
    largest = float(np.abs(kernels).max()) or 1.0
    shown = 127.5 + 127.5 * np.asarray(tiles(kernels), dtype=float) / largest
    count, k = shown.shape[:2]
    each = count // len(kernels)
    columns = each * max(1, math.ceil(math.sqrt(len(kernels) / each)))
    rows = math.ceil(count / columns)
    picture = np.zeros((rows * columns, k + 1, k + 1, *shown.shape[3:]))
    picture[:count, :k, :k] = shown
    picture = picture.reshape(rows, columns, k + 1, k + 1, *shown.shape[3:]).swapaxes(1, 2)
    return _enlarged(picture.reshape(rows * (k + 1), columns * (k + 1), *shown.shape[3:]).round().astype(np.uint8))


def heat(confusion: NDArray[Any]) -> NDArray[np.uint8]:
    """Draw a confusion matrix: the darker a cell, the larger its fraction of the row.

    Args:
        confusion: Counts [classes, classes], rows are true classes.

    Returns:
        Gray values [height, width].
    """
    parts = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return _enlarged((255 * (1 - parts)).round().astype(np.uint8))


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = max(1, PIXELS // min(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)
