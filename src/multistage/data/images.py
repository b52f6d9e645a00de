"""Image files to arrays, without loss of what they show."""

import math
import threading
import warnings
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from multistage.registry.errors import DataError, one_line
from multistage.storage import durable

FORMATS = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "PSD", "QOI"),
    *("SGI", "SPIDER", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM"),
)
"""Of Pillow's; for some of the others it starts other programs."""

MAX_PIXELS = 50_000_000
"""Larger images are refused before they are decoded, unless more are asked for: a file of some kilobytes can claim
gigapixels."""

SHRUNK_FROM = 4096
"""Sides above this many pixels are first averaged over blocks, since resizing holds a matrix of both its sides."""

WARNING_FILTERS = threading.Lock()
"""Held while warnings are filtered, which Python does for all threads at once."""

GRAY_WEIGHTS = np.array([0.298936, 0.587043, 0.114021])
"""Red, green and blue in MATLAB's rgb2gray, which the authors used."""

Ground = Literal["contrast", "white", "black"]
"""What lies behind transparent pixels; contrast: white or black, whichever leaves the image more contrast."""

PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20  # notes beside an image, which nobody reads here, are no reason to refuse it


def read_image(source: Path | bytes | Image.Image, ground: Ground = "contrast", most: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image, turned upright by its EXIF orientation.

    Args:
        source: The file, its content, or Pillow's image of it.
        ground: What lies behind transparent pixels.
        most: Pixels that an image may have.

    Returns:
        [height, width, 3], or [height, width] if the file is gray; uint8, or float64 as stored where the file has more
        than 8 bits: no scale of theirs is assumed.

    Raises:
        DataError: Not there, not an image, damaged, of more than `most` pixels, or of more than 8 bits a colour where
            Pillow leaves out the lower ones; names the file.
    """
    name = source if isinstance(source, Path) else "the image"
    try:
        with WARNING_FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about oddities that do not change pixels
            if isinstance(source, Image.Image):
                return _pixels(ImageOps.exif_transpose(source), False, ground)
            with durable.opened(source) if isinstance(source, Path) else BytesIO(source) as file:
                image = Image.open(file, formats=FORMATS)
                if math.prod(image.size) > most:
                    size = "x".join(map(str, image.size))
                    raise DataError(f"{name} has {size} pixels, more than data.max_pixels={most}")
                if image.format == "PNG":  # whose checksums Pillow does not look at while it decodes
                    with Image.open(file, formats=("PNG",)) as unread:
                        unread.verify()
                deep = ";16" in str(image.tile)
                return _pixels(ImageOps.exif_transpose(image), deep, ground)
    except UnidentifiedImageError:
        raise DataError(f"{name} is not an image that can be read; expected {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} has more than data.max_pixels={most} pixels") from None
    except DataError as refusal:
        raise DataError(str(refusal) if str(name) in str(refusal) else f"{name} {refusal}") from None
    except Exception as error:  # damaged files raise nearly everything in Pillow's decoders
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"{name} cannot be read as an image: {reason}") from None


def _pixels(image: Image.Image, deep: bool, ground: Ground) -> np.ndarray:
    """The pixels of an opened image; `deep`: its file has 16 bits a value."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float64)
        if not np.isfinite(values).all():
            raise DataError("has pixels that are no finite numbers")
        return values
    gray = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        return _on_ground(np.asarray(image.convert("LA" if gray else "RGBA")), ground)
    pixels = np.asarray(image.convert("L" if gray else "RGB"))
    if deep and pixels.max() < 32:  # of 256: the upper eight bits of 16, which are all that Pillow gives of colour
        raise DataError("has 16 bits a colour of which the upper ones are next to empty; save it with 8 bits, or gray")
    return pixels


def _on_ground(image: np.ndarray, ground: Ground) -> np.ndarray:
    """Lay uint8 [h, w, 2 or 4], whose last channel is opacity, on a ground."""
    opacity = image[..., -1:] / 255
    if opacity.min() == 1:
        laid = image[..., :-1]
    else:
        levels = {"white": (255,), "black": (0,), "contrast": (255, 0)}[ground]
        on = [np.rint(image[..., :-1] * opacity + level * (1 - opacity)).astype(np.uint8) for level in levels]
        laid = max(on, key=np.std)
    return laid[..., 0] if laid.shape[2] == 1 else laid


def has_colour(path: Path, most: int = MAX_PIXELS) -> bool:
    """Whether any pixel of an image file of at most so many is not gray; not, if it cannot be read."""
    try:
        with durable.opened(path) as file, Image.open(file, formats=FORMATS) as image:
            if image.mode.startswith(("1", "L", "I", "F")):
                return False
        pixels = read_image(path, most=most)
    except (DataError, OSError, ValueError):
        return False
    return pixels.ndim == 3 and bool((pixels != pixels[..., :1]).any())


def to_gray(image: np.ndarray) -> np.ndarray:
    """Gray [height, width] of what `read_image` returns, of its type, by the weights of MATLAB's rgb2gray."""
    if image.ndim == 2:
        return image
    gray: np.ndarray = image @ GRAY_WEIGHTS
    return gray if image.dtype.kind == "f" else np.rint(gray).astype(image.dtype)


def to_colour(image: np.ndarray) -> np.ndarray:
    """[height, width, 3] of what `read_image` returns, of its type."""
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def resize(image: np.ndarray, height: int, width: int, scales: tuple[float, float] | None = None) -> np.ndarray:
    """Bicubic resizing with antialiasing, as MATLAB's imresize.

    Args:
        image: [h, w] or [h, w, channels].
        height: Of the result, pixels.
        width: Of the result, pixels.
        scales: Result pixels per image pixel along both axes; None: height / h and width / w.

    Returns:
        [height, width] or [height, width, channels]; of uint8 uint8, else float64.

    Source: imresize with one side NaN scales both axes alike and rounds the size of the other up, so that its last
    pixel looks partly beyond the image, into its mirror. This reproduces the authors' images (`golden/`) to two gray
    levels; stretching to the rounded size, as most libraries do, is off by 6 on average on textured images.
    """
    down, across = scales or (height / image.shape[0], width / image.shape[1])
    rows, columns = (
        _bicubic_matrix(image.shape[0], height, down),
        _bicubic_matrix(image.shape[1], width, across),
    )
    planes = np.moveaxis(np.atleast_3d(image), 2, 0)
    resized = np.moveaxis(rows @ planes @ columns.T, 0, 2).reshape(height, width, *image.shape[2:])
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8) if image.dtype == np.uint8 else resized


def resize_longer_side(image: np.ndarray, size: int) -> np.ndarray:
    """Resize so that the longer side is `size`, keeping the aspect ratio; the other is rounded up (see `resize`)."""
    longer = max(image.shape[:2])
    scale = size / longer
    height, width = (size if side == longer else math.ceil(side * scale - 1e-9) for side in image.shape[:2])
    blocks = [max(1, -(-side // SHRUNK_FROM)) for side in image.shape[:2]]
    return resize(_averaged(image, *blocks), height, width, (scale * blocks[0], scale * blocks[1]))


def _averaged(image: np.ndarray, down: int, across: int) -> np.ndarray:
    """Means of blocks of `down` by `across` pixels; what is left over at the end makes smaller blocks."""
    for axis, block in enumerate((down, across)):
        if block > 1:
            starts = np.arange(0, image.shape[axis], block)
            counts = np.diff(np.append(starts, image.shape[axis])).reshape(
                [-1 if a == axis else 1 for a in range(image.ndim)]
            )
            means = np.add.reduceat(image, starts, axis, dtype=np.float64) / counts
            image = np.rint(means).astype(np.uint8) if image.dtype == np.uint8 else means
    return image


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
