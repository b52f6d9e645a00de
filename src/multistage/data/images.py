"""Image files to arrays."""

import math
import threading
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from multistage.registry.errors import DataError, one_line

FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Of Pillow's; it reads many more, and for some of them starts other programs."""

MAX_PIXELS = 50_000_000
"""Larger images are refused before they are decoded: a file of some kilobytes can claim gigapixels."""

WARNING_FILTERS = threading.Lock()
"""Held while warnings are filtered, which Python does for all threads at once."""

GRAY_WEIGHTS = np.array([0.298936, 0.587043, 0.114021])
"""Red, green and blue in MATLAB's rgb2gray, which the authors used."""


def read_rgb(path: Path) -> np.ndarray:
    """Decode an image file, turned upright by its EXIF orientation.

    Returns:
        uint8 [height, width, 3], or [height, width] if the file is gray.

    Raises:
        DataError: Not there, not an image, damaged, or above `MAX_PIXELS`; names the file.
    """
    try:
        with WARNING_FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about oddities that do not change pixels
            with Image.open(path, formats=FORMATS) as image:
                if math.prod(image.size) > MAX_PIXELS:
                    raise DataError(f"{path} has {image.size[0]}x{image.size[1]} pixels, more than {MAX_PIXELS:,}")
                if image.format == "PNG":  # whose checksums Pillow does not look at while it decodes
                    with Image.open(path, formats=("PNG",)) as unread:
                        unread.verify()
                upright = ImageOps.exif_transpose(image)
                if upright.mode in ("I", "F"):
                    raise DataError(f"{path} has 32-bit pixels; expected 1, 8 or 16 bits")
                if upright.mode.startswith("I;16"):
                    return (np.asarray(upright) >> 8).astype(np.uint8)
                if upright.mode in ("1", "L", "LA"):
                    return np.asarray(upright.convert("L"))
                return np.asarray(upright.convert("RGB"))
    except UnidentifiedImageError:
        raise DataError(f"{path} is not an image that can be read; expected {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path} has more than {MAX_PIXELS:,} pixels") from None
    except DataError:
        raise
    except Exception as error:  # damaged files raise nearly everything in Pillow's decoders
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"{path} cannot be read as an image: {reason}") from None


def to_gray(image: np.ndarray) -> np.ndarray:
    """Gray uint8 [height, width] of what `read_rgb` returns, by the weights of MATLAB's rgb2gray."""
    return image if image.ndim == 2 else np.rint(image @ GRAY_WEIGHTS).astype(np.uint8)


def to_colour(image: np.ndarray) -> np.ndarray:
    """uint8 [height, width, 3] of what `read_rgb` returns."""
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def resize(image: np.ndarray, height: int, width: int, scale: float | None = None) -> np.ndarray:
    """Bicubic resizing with antialiasing, as MATLAB's imresize.

    Args:
        image: uint8 [h, w] or [h, w, channels].
        height: Of the result, pixels.
        width: Of the result, pixels.
        scale: Result pixels per image pixel along both axes; None: height / h and width / w.

    Returns:
        uint8 [height, width] or [height, width, channels].

    Source: imresize with one side NaN scales both axes alike and rounds the size of the other up, so that its last
    pixel looks partly beyond the image, into its mirror. This reproduces the authors' images (`golden/`) to two gray
    levels; stretching to the rounded size, as most libraries do, is off by 6 on average on textured images.
    """
    rows = _bicubic_matrix(image.shape[0], height, scale or height / image.shape[0])
    columns = _bicubic_matrix(image.shape[1], width, scale or width / image.shape[1])
    planes = np.moveaxis(np.atleast_3d(image), 2, 0)
    resized = np.moveaxis(rows @ planes @ columns.T, 0, 2).reshape(height, width, *image.shape[2:])
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)


def resize_longer_side(gray: np.ndarray, size: int) -> np.ndarray:
    """Resize so that the longer side is `size`, keeping the aspect ratio; the other is rounded up (see `resize`)."""
    scale = size / max(gray.shape[:2])
    height, width = (size if side == max(gray.shape[:2]) else math.ceil(side * scale - 1e-9) for side in gray.shape[:2])
    return resize(gray, height, width, scale)


@lru_cache(maxsize=256)
def _bicubic_matrix(size: int, new_size: int, scale: float) -> np.ndarray:
    """Resizing along one axis as a matrix [new_size, size]: Keys' cubic, widened when shrinking, mirrored edges."""
    stretch = min(scale, 1.0)
    reach = math.ceil(2 / stretch)
    centre = (np.arange(new_size) + 0.5) / scale - 0.5
    source = np.floor(centre).astype(int)[:, None] + np.arange(-reach, reach + 2)
    distance = np.abs(source - centre[:, None]) * stretch
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    weights /= weights.sum(1, keepdims=True)
    mirrored = source % (2 * size)
    mirrored = np.minimum(mirrored, 2 * size - 1 - mirrored)
    matrix = np.zeros((new_size, size))
    np.add.at(matrix, (np.arange(new_size)[:, None], mirrored), weights)
    return matrix
