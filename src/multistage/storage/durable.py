"""Files that are there as a whole or not at all, and that show when they were altered.

A process may be killed anywhere: a file is written under another name in the same folder, flushed to disk, and renamed.
What is read back is compared with a SHA-256 that was stored with it. Files may come from others: only regular files
are read, none beyond its bound.
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
"""What file systems (of networks, above all) answer that do not know a request, flushing a folder or locking a file."""

WHOLE = 2**20
"""Bytes up to which a file is read at once, which takes a third of the time for thousands of small ones."""


def write(path: Path, content: bytes) -> None:
    """Write a file so that after a crash its old or its new content is there, never a part.

    Raises:
        OSError: It cannot be written; names it.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # of a process that was killed, or a link that leads elsewhere
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
            _flush(descriptor)
        finally:
            os.close(descriptor)


def _flush(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        _do_without(error, "what was written cannot be flushed to disk there; a power failure may undo it")


@cache
def _say(reason: str, consequence: str) -> None:
    log.warning("%s: %s", reason, consequence)


def _do_without(error: OSError, consequence: str) -> None:
    """Say once, in one line, what a file system cannot do.

    Args:
        error: Its answer to a request.
        consequence: What that means, in words.

    Raises:
        OSError: `error`, if it means anything else.
    """
    if error.errno not in UNSUPPORTED:
        raise error
    _say(os.strerror(error.errno), consequence)


@contextmanager
def locked(path: Path, patience: float = -1) -> Iterator[None]:
    """Nobody else holds this file meanwhile; the system lets go of it when the process ends, however it ends.

    Args:
        path: Made if it does not exist, in a folder that does; it stays.
        patience: Seconds to wait for another process; -1: until it lets go.

    Raises:
        filelock.Timeout: Another process holds it.
        OSError: It cannot be made.
    """
    from filelock import FileLock

    lock = FileLock(path)
    try:
        lock.acquire(timeout=patience)
    except OSError as error:
        _do_without(error, "files cannot be locked there, so that two processes may do the same work twice")
    try:
        yield
    finally:
        lock.release()


def opened(path: Path) -> BufferedReader:
    """A regular file for reading, perhaps by a link; a pipe or a device, which may never end, is not waited for.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return file


def read(path: Path, most: int) -> bytes:
    """The content of a regular file.

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
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    with opened(path) as file:
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
        ValueError: It has none, or was altered, or holds what JSON cannot.
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
