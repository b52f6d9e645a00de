"""Pictures of artifacts: filters as a mosaic, confusion matrices as a table or, for many classes, as a map."""

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from PIL import Image

from audit.tables.templates import ENVIRONMENT, base64, macro
from multistage.dashboards.pictures import tiles

TABLE = 20
"""Largest number of classes for which the confusion matrix is a table instead of a map."""


def bitmap(image: np.ndarray) -> str:
    """Encode a uint8 image [height, width], or [height, width, 3] in colour, as a data URL.

    The format is BMP, whose bytes do not depend on the version of zlib.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "BMP")
    return f"data:image/bmp;base64,{base64(buffer.getvalue())}"


def mosaic(kernels: np.ndarray, limit: float) -> np.ndarray:
    """Arrange kernels in a mosaic, 2 x 2 pixels per weight; uint8, 128 is zero, 1 and 255 are -`limit` and +`limit`.

    Args:
        kernels: float [n, k, k], or [n, k, k, 3] in colour.
        limit: Magnitude at which weights are clipped.
    """
    n, k = kernels.shape[:2]
    square = math.ceil(math.sqrt(n))
    columns = next((c for c in range(square, 2 * square + 1) if n % c == 0), square)  # full rows if possible
    rows = math.ceil(n / columns)
    side = 2 * k + 1
    image = np.zeros((rows * side + 1, columns * side + 1, *kernels.shape[3:]), np.uint8)
    shown = np.clip(128 + np.round(127 * kernels / limit), 1, 255).astype(np.uint8).repeat(2, 1).repeat(2, 2)
    for number, tile in enumerate(shown):
        top, left = number // columns * side + 1, number % columns * side + 1
        image[top : top + 2 * k, left : left + 2 * k] = tile
    return image


def filters(before: np.ndarray, after: np.ndarray) -> Markup:
    """Draw first-stage kernels [maps, fan_in, k, k] before and after training, on one scale."""
    limit = float(max(np.abs(before).max(), np.abs(after).max())) or 1.0
    return _mosaics({"before training": before, "after training": after}, limit)


def learned_filters(kernels: np.ndarray) -> Markup:
    """Draw unsupervised first-stage kernels [maps, fan_in, k, k]."""
    return _mosaics({"learned without labels": kernels}, float(np.abs(kernels).max()) or 1.0)


def _mosaics(given: Mapping[str, np.ndarray], limit: float) -> Markup:
    named = [(mosaic(tiles(k), limit), len(k), name) for name, k in given.items()]
    return macro("pages/figures.html", "mosaics")(named)


def errors(names: Sequence[str], counts: np.ndarray, most: int = 8) -> list[tuple[str, str, int, int]]:
    """Return the most frequent confusions: true class, predicted class, count, total; most frequent first."""
    wrong = [
        (-int(counts[t, p]), t, p) for t in range(len(names)) for p in range(len(names)) if t != p and counts[t, p] > 0
    ]
    return [(names[t], names[p], -count, int(counts[t].sum())) for count, t, p in sorted(wrong)[:most]]


def confusion(names: Sequence[str], counts: np.ndarray) -> Markup:
    """Draw counts [true class, predicted class], and list the most frequent confusions in words.

    Shades are square roots of fractions of the true class, so that one error in a hundred is visible.
    """
    shares = np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1))
    picture = (255 - np.round(255 * shares)).astype(np.uint8) if len(names) > TABLE else None
    return macro("pages/figures.html", "confusion")(names, counts, shares, errors(names, counts), picture)


ENVIRONMENT.filters |= {"bitmap": bitmap}
