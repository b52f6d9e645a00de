"""Download files, with limits on size and time, checksums, and a lock between processes."""

import hashlib
import io
import logging
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError
from urllib.request import urlopen

from multistage.registry.errors import one_line
from multistage.storage import durable

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Timeout of a server's start, and tolerance for pauses later, seconds."""

SLOWEST = 10_000
"""Minimum average speed, bytes a second; slower downloads are given up."""

BLOCK = 2**16


@dataclass(frozen=True)
class Packed:
    """A file to download.

    Attributes:
        size: Bytes.
        sha256: Of its content.
    """

    size: int
    sha256: str


class Readable(Protocol):
    """A stream that is read block by block."""

    def read(self, size: int = -1, /) -> bytes: ...


class Bounded(io.RawIOBase):
    """A decompressed stream with a size limit: an archive of some kilobytes may hold gigabytes.

    Args:
        stream: Decompresses while it is read.
        most: Maximum number of bytes.
    """

    def __init__(self, stream: Readable, most: int) -> None:
        self.stream, self.most, self.left = stream, most, most

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes.

        Raises:
            ValueError: The stream exceeds the limit.
        """
        content = self.stream.read(self.left + 1 if size < 0 else min(size, self.left + 1))
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(f"it unpacks to more than {self.most:,} bytes")
        return content


def fetch(url: str, target: Path, most: int) -> str:
    """Download a file.

    Args:
        url: Its address.
        target: The file to write.
        most: Maximum number of bytes.

    Returns:
        Its SHA-256.

    Raises:
        OSError: No answer, an error, a connection that breaks or is too slow; or no space.
        ValueError: More than `most` bytes.
        HTTPException: An invalid answer.
    """
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file, closing(_blocks(url)) as blocks:
        for block in blocks:
            size += len(block)
            if size > most:
                raise ValueError(f"{url} sends more than the expected {most:,} bytes")
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def fetch_any(addresses: Iterable[str], target: Path, expected: Packed) -> None:
    """Download a file from the first address that has it.

    Args:
        addresses: Its addresses, tried in turn.
        target: The file to write.
        expected: Size and checksum of the file.

    Raises:
        ValueError: No address has it; the message has the reason for each.
    """
    reasons = []
    for url in addresses:
        try:
            if (found := fetch(url, target, expected.size)) == expected.sha256:
                return
            reasons.append(f"{url} sends another file, of SHA-256 {found[:16]}")
        except Exception as error:  # any failure of server, library or disk
            if isinstance(error, HTTPError):
                error.close()
            reasons.append(one_line(error) if url in str(error) else f"{url}: {one_line(error)}")
    raise ValueError("; ".join(reasons))


def _blocks(url: str) -> Generator[bytes, None, None]:
    """Yield what a server sends, read in a separate thread: a server may send a byte a minute, forever."""
    arrived: queue.Queue[bytes | Exception] = queue.Queue(maxsize=64)
    stopped = threading.Event()

    def put(item: bytes | Exception) -> None:
        while not stopped.is_set():
            try:
                arrived.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def read() -> None:
        try:
            with urlopen(url, timeout=PATIENCE) as response:
                claimed = int(response.headers.get("Content-Length") or -1)
                got = 0
                while (block := response.read1(BLOCK)) and not stopped.is_set():
                    got += len(block)
                    put(block)
                if got < claimed and not stopped.is_set():
                    raise ConnectionError(f"{url} broke off after {got:,} of {claimed:,} bytes")
                put(b"")
        except Exception as error:
            put(error)

    threading.Thread(target=read, daemon=True).start()
    end = time.monotonic() + PATIENCE
    try:
        while True:
            try:
                item = arrived.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"{url} sends less than {SLOWEST:,} bytes a second") from None
            if isinstance(item, Exception):
                raise item
            if not item:
                return
            end += len(item) / SLOWEST
            yield item
    finally:
        stopped.set()


@contextmanager
def alone(root: Path, name: str) -> Iterator[Path]:
    """Open a scratch folder for downloading a data set into a data root, under an exclusive lock (context manager).

    Waits while another process has the lock. Removes folders that it made if they stay empty, and leftovers of killed
    processes.

    Args:
        root: The data root; created if it does not exist.
        name: Name of the data set.

    Raises:
        OSError: The data root cannot be written.
    """
    from filelock import Timeout

    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    lock, prefix = root / f".{name}.lock", f".{name}-download-"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            try:
                held.enter_context(durable.locked(lock, patience=0))
            except Timeout:
                log.warning("waiting for another process that downloads %s into %s", name, root)
                held.enter_context(durable.locked(lock))
            try:
                for left in root.glob(f"{prefix}*"):
                    shutil.rmtree(left, ignore_errors=True)
                with tempfile.TemporaryDirectory(dir=root, prefix=prefix) as scratch:
                    yield Path(scratch)
            finally:
                with suppress(OSError):  # Windows refuses this, and removes it later
                    lock.unlink()
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
