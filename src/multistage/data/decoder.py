"""Version of the code that decodes and prepares images, for cache keys."""

from functools import cache
from pathlib import Path

import numpy
import PIL
import torch

from multistage.registry import digest
from multistage.storage import durable

PACKAGE = Path(__file__).parents[1]

ROOMS = "data", "layers"
"""The preprocessing is a layer."""


def decoder() -> str:
    """Return the SHA-256 of the code that reads and prepares images, and of the versions of its packages."""
    return digest(_code(PACKAGE), PIL.__version__, numpy.__version__, torch.__version__)


@cache
def _code(package: Path) -> list[str]:
    files = (file for room in ROOMS for file in sorted((package / room).rglob("*.py")))
    return [f"{file.relative_to(package).as_posix()} {durable.file_digest(file)}" for file in files]
