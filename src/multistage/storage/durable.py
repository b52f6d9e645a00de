"""Files that are there as a whole or not at all, and that show when they were altered.

A process may be killed anywhere: a file is written under another name in the same folder, flushed to disk, and renamed.
What is read back is compared with a SHA-256 that was stored with it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKSUM = "checksum"

WHOLE = 2**20
"""Bytes up to which a file is read at once, which takes a third of the time for thousands of small ones."""


def write(path: Path, content: bytes) -> None:
    """Write a file so that after a crash its old or its new content is there, never a part."""
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def update(path: Path, content: bytes) -> bool:
    """Write a file unless it is so already; whether it was written."""
    if path.exists() and path.read_bytes() == content:
        return False
    write(path, content)
    return True


def _flush_folder(folder: Path) -> None:
    """Let a rename survive a power failure; where folders cannot be opened (Windows), the system sees to it."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size < WHOLE:
            return digest(file.read())
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(content: bytes) -> bytes:
    """Content with its SHA-256 behind it."""
    return content + hashlib.sha256(content).digest()


def unseal(sealed: bytes) -> bytes:
    """The content of what `seal` made.

    Raises:
        ValueError: It was cut or altered.
    """
    content, checksum = sealed[:-32], sealed[-32:]
    if hashlib.sha256(content).digest() != checksum:
        raise ValueError("its checksum does not fit its content")
    return content


def stamp(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record (plain values) with the SHA-256 of its content in ``checksum``."""
    return {**record, CHECKSUM: _record_digest(record)}


def check_stamp(record: Mapping[str, Any]) -> None:
    """Compare a record with its ``checksum``.

    Raises:
        ValueError: It has none, or was altered.
    """
    if record.get(CHECKSUM) != _record_digest(record):
        raise ValueError("its checksum does not fit its content")


def _record_digest(record: Mapping[str, Any]) -> str:
    content = {key: value for key, value in record.items() if key != CHECKSUM}
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
