"""Files from the network: no larger, slower or other than they should be, and fetched by one process at a time."""

import hashlib
import io
import logging
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Mapping
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
"""Seconds that a server has to begin, and may lose on its way."""

SLOWEST = 10_000
"""Bytes a second that arrive in the long run; of fewer, as of none, no more are waited for."""

BLOCK = 2**16


@dataclass(frozen=True)
class Packed:
    """A file as it is fetched.

    Attributes:
        size: Bytes.
        sha256: Of its content.
    """

    size: int
    sha256: str


class Readable(Protocol):
    """What is read a block at a time."""

    def read(self, size: int = -1, /) -> bytes: ...


class Bounded(io.RawIOBase):
    """What is unpacked, up to a limit: an archive of some kilobytes may hold gigabytes.

    Args:
        stream: Unpacks as it is read.
        most: Bytes.
    """

    def __init__(self, stream: Readable, most: int) -> None:
        self.stream, self.most, self.left = stream, most, most

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes.

        Raises:
            ValueError: There are more than the limit.
        """
        content = self.stream.read(self.left + 1 if size < 0 else min(size, self.left + 1))
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(f"it unpacks to more than {self.most:,} bytes")
        return content


def fetch(url: str, target: Path, most: int) -> str:
    """Write what a server sends into a file.

    Args:
        url: Where.
        target: The file.
        most: Bytes that it may have.

    Returns:
        Its SHA-256.

    Raises:
        OSError: No answer, an answer that is none, a connection that breaks or is too slow; or no space.
        ValueError: More than `most` bytes.
        HTTPException: No sensible answer.
    """
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file, closing(_blocks(url)) as blocks:
        for block in blocks:
            size += len(block)
            if size > most:
                raise ValueError(f"{url} sends more than the {most:,} bytes that it should")
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def fetch_any(addresses: Mapping[str, Path], expected: Packed) -> Path:
    """Fetch a file from the first address that has it.

    Args:
        addresses: Where from, and into which file.
        expected: What the file is.

    Returns:
        The file.

    Raises:
        ValueError: None has it; says of each why not.
    """
    reasons = []
    for url, target in addresses.items():
        try:
            if (found := fetch(url, target, expected.size)) == expected.sha256:
                return target
            reasons.append(f"{url} sends another file, of SHA-256 {found[:16]}")
        except Exception as error:  # whatever a server, a library or a disk does
            if isinstance(error, HTTPError):
                error.close()
            reasons.append(one_line(error) if url in str(error) else f"{url}: {one_line(error)}")
    raise ValueError("; ".join(reasons))


def _blocks(url: str) -> Generator[bytes, None, None]:
    """What a server sends, read by a thread of its own: a server may send a byte a minute, and that for ever."""
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
    """A scratch folder for fetching a data set into a data root; no other process does that meanwhile.

    Waits for another one that does. Folders that had to be made go again if they stay empty, and so does what a process
    that was killed has left.

    Args:
        root: The data root, made if it does not exist.
        name: Of the data set.

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
                with suppress(OSError):  # Windows refuses, and removes it by itself
                    lock.unlink()
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
