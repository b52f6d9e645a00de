"""Decoded images, kept on disk so that decoding happens once.

A cache entry is one safetensors file, named by the hash of what it was made from, with its own SHA-256 beside it. A
damaged entry is noticed by that and made again.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from multistage.data.manifest import file_digest

log = logging.getLogger(__name__)


def folder() -> Path:
    """``$MULTISTAGE_CACHE``, else the user's cache folder."""
    if chosen := os.environ.get("MULTISTAGE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "multistage"


def cached(name: str, source: str, build: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What `build` returns, from disk if it was built before.

    Args:
        name: Readable part of the file's name.
        source: Everything the result depends on, in a text.
        build: Makes the tensors.
    """
    path = folder() / f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:16]}.safetensors"
    checksum = path.with_suffix(".sha256")
    if path.exists() and checksum.exists():
        if file_digest(path).encode() == checksum.read_bytes().strip():
            return load_file(path)
        log.warning("%s is damaged; making it again", path)
    tensors = build()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            new = Path(scratch) / path.name
            save_file(tensors, new)
            new_checksum = Path(scratch) / checksum.name
            new_checksum.write_text(file_digest(new) + "\n")
            checksum.unlink(
                missing_ok=True
            )  # an entry without checksum is none, so that a crash in between does no harm
            new.replace(path)
            new_checksum.replace(checksum)
    except (OSError, SafetensorError) as error:
        log.warning("%s cannot be written (%s); images will be decoded again next time", path, error)
    return tensors
