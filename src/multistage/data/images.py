"""Decode image files to arrays without loss."""

import errno
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from multistage.data.resizing import tiles
from multistage.registry.errors import DataError, one_line
from multistage.storage import durable

FORMATS = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "PSD", "QOI"),
    *("SGI", "SPIDER", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM"),
)
"""Of Pillow's; for some of the others it starts other programs."""

PAGED = ("AVIF", "GIF", "PNG", "TIFF", "WEBP")
"""Of these, the ones that hold pages or frames of equal rank."""

MAX_PIXELS = 50_000_000
"""Default limit on pixels, checked before decoding: a file of some kilobytes can claim gigapixels."""

AT_ONCE = 50
"""Total size of the images that threads decode at once, megapixels; a larger image waits until it is the only one."""

PILLOW, TURN, ROOM = threading.Lock(), threading.Lock(), threading.Semaphore(AT_ONCE)
"""Lock of Pillow's global settings; lock and count of the megapixels that are left."""

GRAY_WEIGHTS = np.array([0.298936, 0.587043, 0.114021])
"""Red, green and blue in MATLAB's rgb2gray, which the authors used."""

Ground = Literal["contrast", "white", "black"]
"""Background of transparent pixels; contrast: white or black, whichever gives more contrast."""

PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20  # metadata is unused: long metadata is no reason to refuse an image
Image.core.set_block_size(2**26)  # type: ignore[attr-defined]  # malloc keeps smaller ones, for each thread anew


def read_image(
    source: Path | bytes | Image.Image, ground: Ground = "contrast", most: int = MAX_PIXELS, eighth: bool = False
) -> np.ndarray:
    """Decode an image and apply its EXIF orientation.

    Args:
        source: The file, its content, or a Pillow image.
        ground: Background of transparent pixels.
        most: Maximum number of pixels.
        eighth: Whether to decode a JPEG only to means of 8 by 8 pixels, which is faster.

    Returns:
        [height, width, 3], or [height, width] if the file is gray; uint8, or float64 with unscaled values if the file
        has more than 8 bits.

    Raises:
        DataError: Missing, not an image, damaged, more than `most` pixels, or more than 8 bits a colour of which
            Pillow drops the lower ones; the message names the file.
    """
    name = source if isinstance(source, Path) else "the image"
    try:
        with _pillow(most):
            if isinstance(source, Image.Image):
                return _pixels(ImageOps.exif_transpose(source), False, ground)
            with durable.opened(source) if isinstance(source, Path) else BytesIO(source) as file:
                image = Image.open(file, formats=FORMATS)
                if math.prod(image.size) > most:
                    size = "x".join(map(str, image.size))
                    raise DataError(f"{name} has {size} pixels, more than data.max_pixels={most}")
                if image.format == "PNG":  # Pillow does not verify their checksums while decoding
                    with Image.open(file, formats=("PNG",)) as unread:
                        unread.verify()
                deep = ";16" in str(image.tile)
                if eighth:
                    image.draft(None, (1, 1))
                ImageOps.exif_transpose(image, in_place=True)
                return _pixels(image, deep, ground)
    except UnidentifiedImageError:
        raise DataError(f"{name} cannot be read as an image; expected {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} has more than data.max_pixels={most} pixels") from None
    except DataError as refusal:
        raise DataError(str(refusal) if str(name) in str(refusal) else f"{name} {refusal}") from None
    except MemoryError:  # not the file's fault
        raise
    except Exception as error:  # damaged files raise almost any exception in Pillow's decoders
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"{name} cannot be read as an image: {reason}") from None


@contextmanager
def _pillow(most: int) -> Iterator[None]:
    """Use Pillow in one thread, without warnings that do not concern pixels, and with a limit of at least `most`."""
    with PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        usual = Image.MAX_IMAGE_PIXELS or 0
        Image.MAX_IMAGE_PIXELS = max(usual, most)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = usual


@contextmanager
def room(content: bytes) -> Iterator[None]:
    """Wait until the large images of other threads leave room for this one."""
    millions = AT_ONCE
    with suppress(Exception), _pillow(MAX_PIXELS), Image.open(BytesIO(content), formats=FORMATS) as image:
        millions = min(AT_ONCE, math.prod(image.size) // 10**6)
    with TURN if millions else nullcontext():  # or two threads would wait for each other
        for _ in range(millions):
            ROOM.acquire()
    try:
        yield
    finally:
        for _ in range(millions):
            ROOM.release()


def _pixels(image: Image.Image, deep: bool, ground: Ground) -> np.ndarray:
    """Return the pixels of an opened image; `deep`: its file has 16 bits a value."""
    if 0 in image.size:
        raise DataError("has no pixels")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float64)
        if not np.isfinite(values).all():
            raise DataError("has pixels that are not finite numbers")
        return values
    gray = image.mode in ("1", "L", "LA", "La")
    mode = ("L" if gray else "RGB") + "A" * image.has_transparency_data
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    opaque = not image.has_transparency_data or pixels[..., -1].min() == 255
    colours = pixels[..., :-1] if image.has_transparency_data else pixels
    if deep and opaque and colours.max() < 32:  # of 256: Pillow gives only the upper eight of 16 bits
        raise DataError("has 16 bits a colour of which the upper ones are next to empty; save it with 8 bits, or gray")
    return _on_ground(pixels, ground) if image.has_transparency_data else pixels


def _on_ground(image: np.ndarray, ground: Ground) -> np.ndarray:
    """Put uint8 [h, w, 2 or 4], with opacity last, on a background."""
    colours, laid = image[..., :-1], image[..., :-1]
    if image[..., -1].min() < 255:
        levels = {"white": (255,), "black": (0,), "contrast": (255, 0)}[ground]
        on = [np.empty_like(colours) for _ in levels]
        for tile in tiles(image.shape[:2]):
            opacity = image[tile][..., -1:] / 255
            for pixels, level in zip(on, levels, strict=True):
                pixels[tile] = np.rint(colours[tile] * opacity + level * (1 - opacity))
        laid = max(on, key=_variance)
    return laid[..., 0] if laid.shape[2] == 1 else laid


def _variance(levels: np.ndarray) -> float:
    """Return the variance of a uint8 array, from counts in tiles."""
    counts = sum(np.bincount(levels[tile].ravel(), minlength=256) for tile in tiles(levels.shape[:2]))
    values = np.arange(256)
    mean = np.average(values, weights=counts)
    return float(np.average((values - mean) ** 2, weights=counts))


def has_several(content: bytes) -> bool:
    """Whether a file has more pages or frames than the first, which `read_image` decodes.

    Thumbnails and alternative views of cameras and editors do not count."""
    with suppress(Exception), _pillow(MAX_PIXELS), Image.open(BytesIO(content), formats=PAGED) as image:
        if image.format != "TIFF":
            return bool(getattr(image, "is_animated", False))
        return any(_is_a_page(image, number) for number in count(1))  # ends with EOFError
    return False


def _is_a_page(image: Image.Image, number: int) -> bool:
    """Whether a picture of a TIFF is a page: neither a reduced version nor a mask (tag NewSubfileType)."""
    image.seek(number)
    return not image.tag_v2.get(254, 0) & 5  # type: ignore[attr-defined]


def is_image(path: Path) -> bool:
    """Whether a file starts like an image."""
    try:
        with durable.opened(path) as file, _pillow(MAX_PIXELS), Image.open(file, formats=FORMATS):
            return True
    except Exception:  # damaged files raise almost any exception
        return False


def has_colour(path: Path, most: int = MAX_PIXELS) -> bool:
    """Whether any pixel of an image file (JPEG: any mean of 8 by 8 pixels) is not gray; False if it is not an image.

    Raises:
        OSError: The existing file cannot be read.
    """
    try:
        with durable.opened(path) as file:
            with _pillow(most), Image.open(file, formats=FORMATS) as image:
                if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16"):
                    return False
            file.seek(0)
            content = file.read()
        pixels = read_image(content, most=most, eighth=True)
    except (DataError, ValueError, FileNotFoundError, Image.DecompressionBombError):
        return False
    except MemoryError:
        raise OSError(errno.ENOMEM, "there is not enough memory", str(path)) from None
    except OSError as error:
        if error.errno is None:  # Pillow's error about the content
            return False
        raise OSError(error.errno, error.strerror, str(path)) from None
    return pixels.ndim == 3 and any((pixels[tile] != pixels[tile][..., :1]).any() for tile in tiles(pixels.shape[:2]))


def to_gray(image: np.ndarray) -> np.ndarray:
    """Convert what `read_image` returns to gray, [height, width] of its type, with the weights of MATLAB's rgb2gray."""
    if image.ndim == 2:
        return image
    gray = np.empty(image.shape[:2], image.dtype)
    for tile in tiles(gray.shape):
        weighted = image[tile] @ GRAY_WEIGHTS
        gray[tile] = weighted if image.dtype.kind == "f" else np.rint(weighted)
    return gray


def to_yuv(image: np.ndarray) -> np.ndarray:
    """Luminance and two colour differences, float64 [height, width, 3], of what `read_image` returns.

    The first map is gray, by the weights of `to_gray`. The others are 0.492 times blue less gray and 0.877 times red
    less gray. They are 0 wherever the image is gray.

    Source: BT.601; Sermanet & LeCun, "Traffic sign recognition with multi-scale convolutional networks" (2011).
    """
    colours = to_colour(image).astype(np.float64)
    gray = colours @ GRAY_WEIGHTS
    return np.stack([gray, 0.492 * (colours[..., 2] - gray), 0.877 * (colours[..., 0] - gray)], axis=-1)


def to_colour(image: np.ndarray) -> np.ndarray:
    """Convert what `read_image` returns to [height, width, 3] of its type; a gray image is not copied."""
    return image if image.ndim == 3 else np.broadcast_to(image[:, :, None], (*image.shape, 3))
