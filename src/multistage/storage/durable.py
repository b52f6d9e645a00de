"""Atomic, durable writes and reads that detect altered files.

A process may be killed at any time, so a file is written under another name in the same folder, flushed to disk, and
renamed. Content that is read is compared with its stored SHA-256. Files may come from others: only regular files up to
a maximum size are read.
"""

import errno
import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from io import BufferedReader
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

CHECKSUM = "checksum"

UNSUPPORTED = {errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Errors of file systems (mostly network ones) that cannot flush a folder or lock a file."""

WHOLE = 2**20
"""Bytes up to which a file is read in one call; for thousands of small files this takes a third of the time."""


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: after a crash it has its old or its new content, never a part.

    Raises:
        OSError: It cannot be written; the message names it.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # left by a killed process, or a link to another place
        with new.open("xb") as file:
            file.write(content)
            file.flush()
            _flush(file.fileno())
        new.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def update(path: Path, content: bytes) -> bool:
    """Write a file unless it has this content already; return whether it was written."""
    if path.exists() and path.read_bytes() == content:
        return False
    write(path, content)
    return True


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power failure; where folders cannot be opened (Windows), the system does this."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _flush(descriptor)
        finally:
            os.close(descriptor)


def _flush(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        _do_without(error, "files cannot be flushed to disk there; a power failure may undo a write")


@cache
def _say(reason: str, consequence: str) -> None:
    log.warning("%s: %s", reason, consequence)


def _do_without(error: OSError, consequence: str) -> None:
    """Warn once, in one line, about what a file system does not support.

    Args:
        error: Its error.
        consequence: What that means for the user.

    Raises:
        OSError: `error`, if it has another cause.
    """
    if error.errno not in UNSUPPORTED:
        raise error
    _say(os.strerror(error.errno), consequence)


@contextmanager
def locked(path: Path, patience: float = -1) -> Iterator[None]:
    """Hold an exclusive lock on a file (context manager); the system releases it when the process ends in any way.

    Args:
        path: The lock file; created in an existing folder if it is missing, and not removed.
        patience: Seconds to wait for another process; -1: without limit.

    Raises:
        filelock.Timeout: Another process holds the lock.
        OSError: The file cannot be created.
    """
    from filelock import FileLock

    lock = FileLock(path)
    try:
        lock.acquire(timeout=patience)
    except OSError as error:
        _do_without(error, "files cannot be locked there; two processes may do the same work twice")
    try:
        yield
    finally:
        lock.release()


def opened(path: Path) -> BufferedReader:
    """Open a regular file, or a link to one, for reading; pipes and devices, which may never end, are refused.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return file


def read(path: Path, most: int) -> bytes:
    """Read a regular file.

    Raises:
        OSError: It cannot be read.
        ValueError: It has more than `most` bytes.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(most + 1) if size <= most else b""
    if max(size, len(content)) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content


def digest(content: bytes) -> str:
    """Return the SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: It cannot be read, or is not a regular file.
    """
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size < WHOLE:
            return digest(file.read())
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(content: bytes) -> bytes:
    """Append the SHA-256 of the content to it."""
    return content + hashlib.sha256(content).digest()


def unseal(sealed: bytes) -> bytes:
    """Return the content that `seal` sealed.

    Raises:
        ValueError: It was truncated or altered.
    """
    content, checksum = sealed[:-32], sealed[-32:]
    if hashlib.sha256(content).digest() != checksum:
        raise ValueError("its checksum does not fit its content")
    return content


def stamp(record: Mapping[str, Any]) -> dict[str, Any]:
    """Add the SHA-256 of a record (plain values) to it, as ``checksum``."""
    return {**record, CHECKSUM: _record_digest(record)}


def check_stamp(record: Mapping[str, Any]) -> None:
    """Compare a record with its ``checksum``.

    Raises:
        ValueError: The record has no checksum, was altered, or has values that JSON cannot hold.
    """
    try:
        found = _record_digest(record)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if record.get(CHECKSUM) != found:
        raise ValueError("its checksum does not fit its content")


def _record_digest(record: Mapping[str, Any]) -> str:
    content = {key: value for key, value in record.items() if key != CHECKSUM}
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
