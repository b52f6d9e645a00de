"""What can happen to files of a data set, generated from fixed seeds."""

import gzip
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FILES = 4  # of each data set are damaged


class Damage(NamedTuple):
    kind: str
    apply: Callable  # to a path


def flip(position, bit):
    def apply(path):
        content = bytearray(path.read_bytes())
        content[int(position * len(content)) if isinstance(position, float) else position] ^= 1 << bit
        path.write_bytes(content)

    return Damage("flipped bit", apply)


def truncate(kept):
    return Damage("truncated", lambda path: path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)]))


def become(kind, content):
    return Damage(kind, lambda path: path.write_bytes(content))


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(levels, kind):
    """A PNG of 16 bits a value; `kind`: 4 for gray and opacity, 6 for colour and opacity."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], 16, kind, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in levels)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def png_claiming(width, height, before_pixels=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    text = chunk(b"zTXt", b"k\0\0" + before_pixels) if before_pixels else b""
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    return b"\x89PNG\r\n\x1a\n" + header + text + pixels + chunk(b"IEND", b"")


def bombs():
    """Small files that claim to be huge, in every way that we know: {name: content}."""
    packer = zlib.compressobj(9)
    megabyte = packer.compress(b"a" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    text = megabyte[:2] + 256 * megabyte[2:]
    ifd = [(256, 60_000), (257, 60_000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 60_000), (279, 9)]
    tiff = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in ifd)
    jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c"
    jpeg += b"\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00" + b"\0" * 99
    return {
        **{f"{side}.png": png_claiming(side, side) for side in (7_072, 12_000, 100_000, 2**31 - 1)},
        "wide.png": png_claiming(2**31 - 1, 1),
        "high.png": png_claiming(1, 50_000_001),
        "text.png": png_claiming(9, 9, before_pixels=text),
        "a.jpg": jpeg,
        "a.gif": b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + b"\0" * 6 + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x01\0\0;",
        "a.bmp": struct.pack("<2sIIIIiiHHIIiiII", b"BM", 99, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "a.ppm": b"P6 60000 60000 255\n" + b"\0" * 99,
        "a.tif": struct.pack("<2sHIH", b"II", 42, 8, len(ifd)) + tiff + b"\0" * 4,
        "a.webp": b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\xfe\xff\xff\x0f" + b"\0" * 9,
    }


random = np.random.default_rng(0)
OF_ANY_FILE = [
    *(truncate(kept) for kept in (0.0, 0.02, *random.uniform(0.1, 0.95, 5))),
    *(
        flip(float(position), int(bit))
        for position, bit in zip(random.random(9), random.integers(0, 8, 9), strict=True)
    ),
    *(become("wrong type", content) for content in (b"hello", b"<html>404 Not Found</html>", b"\0" * 999)),
    become("wrong type", gzip.compress(b"hello")),
    Damage("missing", lambda path: path.unlink()),
    Damage("renamed", lambda path: path.rename(path.with_name(f"{path.name}.part"))),
    Damage("folder", lambda path: (path.unlink(), path.mkdir())),
]
OF_IMAGES = [
    *OF_ANY_FILE,
    *(become("bomb", png_claiming(*size)) for size in ((12_000, 12_000), (2**31 - 1, 1))),
    become("wrong type", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"),
    become("wrong type", b"\x89PNG\r\n\x1a\n"),
    become("wrong type", b"\xff\xd8\xff\xe0"),
    become("wrong type", b"GIF89a"),
    become("wrong type", b"%PDF-1.4\n"),
]

NORB_HEADERS = [flip(byte, bit) for byte in range(12) for bit in range(8)]  # type, number of dimensions, first size
CASES = {"caltech101": OF_IMAGES, "image_folder": OF_IMAGES, "mnist": OF_ANY_FILE, "norb": OF_ANY_FILE + NORB_HEADERS}
