"""Image files to arrays, without loss of what they show."""

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
"""Larger images are refused before they are decoded, unless more are asked for: a file of some kilobytes can claim
gigapixels."""

AT_ONCE = 50
"""Millions of pixels of images that threads hold at once; a larger image waits until there is no other large one."""

PILLOW, TURN, ROOM = threading.Lock(), threading.Lock(), threading.Semaphore(AT_ONCE)
"""Held while Pillow's settings are ours, which are those of all threads; while room is taken; the millions left."""

GRAY_WEIGHTS = np.array([0.298936, 0.587043, 0.114021])
"""Red, green and blue in MATLAB's rgb2gray, which the authors used."""

Ground = Literal["contrast", "white", "black"]
"""What lies behind transparent pixels; contrast: white or black, whichever leaves the image more contrast."""

PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20  # notes beside an image, which nobody reads here, are no reason to refuse it
Image.core.set_block_size(2**26)  # type: ignore[attr-defined]  # malloc keeps smaller ones, for each thread anew


def read_image(
    source: Path | bytes | Image.Image, ground: Ground = "contrast", most: int = MAX_PIXELS, eighth: bool = False
) -> np.ndarray:
    """Decode an image, turned upright by its EXIF orientation.

    Args:
        source: The file, its content, or Pillow's image of it.
        ground: What lies behind transparent pixels.
        most: Pixels that an image may have.
        eighth: Whether a JPEG is decoded to means of 8 by 8 pixels, which takes less time.

    Returns:
        [height, width, 3], or [height, width] if the file is gray; uint8, or float64 as stored where the file has more
        than 8 bits: no scale of theirs is assumed.

    Raises:
        DataError: Not there, not an image, damaged, of more than `most` pixels, or of more than 8 bits a colour where
            Pillow leaves out the lower ones; names the file.
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
                if image.format == "PNG":  # whose checksums Pillow does not look at while it decodes
                    with Image.open(file, formats=("PNG",)) as unread:
                        unread.verify()
                deep = ";16" in str(image.tile)
                if eighth:
                    image.draft(None, (1, 1))
                ImageOps.exif_transpose(image, in_place=True)
                return _pixels(image, deep, ground)
    except UnidentifiedImageError:
        raise DataError(f"{name} is not an image that can be read; expected {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} has more than data.max_pixels={most} pixels") from None
    except DataError as refusal:
        raise DataError(str(refusal) if str(name) in str(refusal) else f"{name} {refusal}") from None
    except MemoryError:  # which is no fault of the file
        raise
    except Exception as error:  # damaged files raise nearly everything in Pillow's decoders
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"{name} cannot be read as an image: {reason}") from None


@contextmanager
def _pillow(most: int) -> Iterator[None]:
    """Pillow for one thread: without warnings, of oddities that do not change pixels, and with a limit of its own of
    no less than `most` pixels."""
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
    """Wait until the large images of other threads leave room for that of this file's content."""
    millions = AT_ONCE
    with suppress(Exception), _pillow(MAX_PIXELS), Image.open(BytesIO(content), formats=FORMATS) as image:
        millions = min(AT_ONCE, math.prod(image.size) // 10**6)
    with TURN if millions else nullcontext():  # or two would each wait for what the other has
        for _ in range(millions):
            ROOM.acquire()
    try:
        yield
    finally:
        for _ in range(millions):
            ROOM.release()


def _pixels(image: Image.Image, deep: bool, ground: Ground) -> np.ndarray:
    """The pixels of an opened image; `deep`: its file has 16 bits a value."""
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
    if deep and opaque and colours.max() < 32:  # of 256: the upper eight bits of 16, which are all that Pillow gives
        raise DataError("has 16 bits a colour of which the upper ones are next to empty; save it with 8 bits, or gray")
    return _on_ground(pixels, ground) if image.has_transparency_data else pixels


def _on_ground(image: np.ndarray, ground: Ground) -> np.ndarray:
    """Lay uint8 [h, w, 2 or 4], whose last channel is opacity, on a ground."""
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
    """Of the values of a uint8 array, counted in tiles."""
    counts = sum(np.bincount(levels[tile].ravel(), minlength=256) for tile in tiles(levels.shape[:2]))
    values = np.arange(256)
    mean = np.average(values, weights=counts)
    return float(np.average((values - mean) ** 2, weights=counts))


def has_several(content: bytes) -> bool:
    """Whether a file's content has more pictures than the first, which is the one that `read_image` decodes: pages,
    frames. The small or other views that a camera or an editor puts beside a picture do not count."""
    with suppress(Exception), _pillow(MAX_PIXELS), Image.open(BytesIO(content), formats=PAGED) as image:
        if image.format != "TIFF":
            return bool(getattr(image, "is_animated", False))
        return any(_is_a_page(image, number) for number in count(1))  # ends with EOFError
    return False


def _is_a_page(image: Image.Image, number: int) -> bool:
    """Whether a picture of a TIFF is none of reduced size and no mask (its tag NewSubfileType)."""
    image.seek(number)
    return not image.tag_v2.get(254, 0) & 5  # type: ignore[attr-defined]


def is_image(path: Path) -> bool:
    """Whether a file begins as an image does."""
    try:
        with durable.opened(path) as file, _pillow(MAX_PIXELS), Image.open(file, formats=FORMATS):
            return True
    except Exception:  # damaged files raise nearly everything
        return False


def has_colour(path: Path, most: int = MAX_PIXELS) -> bool:
    """Whether any pixel of an image file, or in a JPEG any mean of 8 by 8, is not gray; not, if it is no such image.

    Raises:
        OSError: The file cannot be read, though it is there.
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
        if error.errno is None:  # Pillow's, of the content
            return False
        raise OSError(error.errno, error.strerror, str(path)) from None
    return pixels.ndim == 3 and any((pixels[tile] != pixels[tile][..., :1]).any() for tile in tiles(pixels.shape[:2]))


def to_gray(image: np.ndarray) -> np.ndarray:
    """Gray [height, width] of what `read_image` returns, of its type, by the weights of MATLAB's rgb2gray."""
    if image.ndim == 2:
        return image
    gray = np.empty(image.shape[:2], image.dtype)
    for tile in tiles(gray.shape):
        weighted = image[tile] @ GRAY_WEIGHTS
        gray[tile] = weighted if image.dtype.kind == "f" else np.rint(weighted)
    return gray


def to_colour(image: np.ndarray) -> np.ndarray:
    """[height, width, 3] of what `read_image` returns, of its type; of a gray image three times the same memory."""
    return image if image.ndim == 3 else np.broadcast_to(image[:, :, None], (*image.shape, 3))
