"""Version of the code that decodes and prepares images, for cache keys."""

import numpy
import PIL
import torch

from multistage.registry import digest
from multistage.storage.code import code_digest

ROOMS = "data", "layers"
"""The preprocessing is a layer."""


def decoder() -> str:
    """Return the SHA-256 of the code that reads and prepares images, and of the versions of its packages."""
    return digest(code_digest(*ROOMS), PIL.__version__, numpy.__version__, torch.__version__)
