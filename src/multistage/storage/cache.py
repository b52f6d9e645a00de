"""Tensors kept on disk, so that they are made once: decoded images, features of frozen filters, what follows from them.

An entry is one safetensors file, named by the hash of everything its content depends on, with its SHA-256 beside it. It
is read memory-mapped; a damaged one is noticed and made again. Of several processes that want the same entry one makes
it and the others wait. Whoever may read the folder may read the entries. A cache that cannot be written, or read, as
that of another user, is done without.
"""

import hashlib
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from multistage.registry.errors import ConfigError
from multistage.storage import durable

log = logging.getLogger(__name__)

Build = Callable[[], dict[str, Tensor]]
Holds = Callable[[dict[str, Tensor]], bool]

LIMIT = 20.0
"""GB (10^9 bytes) that limited entries may take together, unless ``$MULTISTAGE_CACHE_LIMIT`` says otherwise."""

_in_use: dict[str, Path] = {}
"""The limited entry of each name that this process wanted last."""

_warned: set[Path] = set()
"""Folders that could not be written."""


def folder() -> Path:
    """``$MULTISTAGE_CACHE``, else the user's cache folder.

    Raises:
        ConfigError: The user has none.
    """
    if chosen := os.environ.get("MULTISTAGE_CACHE"):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "multistage"
    except RuntimeError:
        raise ConfigError("you have no home folder ($HOME), where caches lie; set MULTISTAGE_CACHE=FOLDER") from None


def limit() -> float:
    """Bytes that limited entries may take together; 0: they are neither kept nor read.

    Raises:
        ConfigError: ``$MULTISTAGE_CACHE_LIMIT`` is no such number.
    """
    text = os.environ.get("MULTISTAGE_CACHE_LIMIT", str(LIMIT))
    with suppress(ValueError):
        if (value := float(text)) >= 0:
            return value * 1e9
    raise ConfigError(f"MULTISTAGE_CACHE_LIMIT={text!r} is not allowed; expected a number of GB from 0 (no cache) on")


def cached(
    name: str, source: str, build: Build, limited: bool = False, holds: Holds = lambda entry: True
) -> dict[str, Tensor]:
    """What `build` returns, from disk if it was built before, by whatever process.

    Args:
        name: Readable part of the file's name.
        source: Everything the result depends on, in a text.
        build: Makes the tensors.
        limited: Whether the entry counts towards `limit`; there the least recently used ones make room for new ones.
        holds: Whether an entry still says what is so; one that does not is made again.

    Raises:
        ConfigError: An impossible limit.
    """
    room = limit() if limited else math.inf
    if room == 0:
        return build()
    parent = folder() / "features" if limited else folder()
    path = parent / f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:16]}.safetensors"
    if limited:
        _in_use[name] = path
    if (tensors := _read(path)) is not None and holds(tensors):
        return tensors
    with _claimed(path) as writable:
        if (found := _read(path)) is not None and holds(found):  # another process made it meanwhile
            return found
        if found is None and os.access(path, os.R_OK):
            log.warning("%s is damaged; making it again", path)
        tensors = build()
        size = sum(tensor.nbytes for tensor in tensors.values())
        if size > room:
            _warn(parent, f"an entry of {size / 1e9:.1f} GB is above MULTISTAGE_CACHE_LIMIT={room / 1e9:g}")
        elif writable:
            _write(path, tensors, size, room)
    return tensors


def _read(path: Path) -> dict[str, Tensor] | None:
    """An intact entry, now the most recently used one; None if there is none."""
    try:
        expected = path.with_suffix(".sha256").read_bytes().strip()
        if durable.file_digest(path).encode() != expected:
            return None
        tensors = load_file(path)
    except (OSError, SafetensorError):
        return None
    with suppress(OSError):
        os.utime(path)
    return tensors


@contextmanager
def _claimed(path: Path) -> Iterator[bool]:
    """Nobody else makes this entry meanwhile; waits for another process that does. False if the folder refuses."""
    lock = path.with_suffix(".lock")
    with ExitStack() as held:
        refusal = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(durable.locked(lock))
        except (OSError, NotImplementedError) as error:
            refusal = error
        try:
            yield refusal is None
        finally:
            if refusal is None:
                with suppress(OSError):  # Windows refuses, and removes it by itself
                    lock.unlink()
            else:
                _warn(path.parent, refusal)


def _write(path: Path, tensors: dict[str, Tensor], size: int, room: float) -> None:
    """Make an entry of `size` bytes, after others have made way for it where `room` is finite; not if they cannot."""
    checksum = path.with_suffix(".sha256")
    try:
        for left in path.parent.glob(f".{path.stem}-*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        if math.isfinite(room) and not _make_room(path.parent, room - size):
            log.warning("%s is not kept: what is in use leaves less than %.1f GB", path, size / 1e9)
            return
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as scratch:
            new = Path(scratch) / path.name
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, new)
            new_checksum = Path(scratch) / checksum.name
            new_checksum.write_text(durable.file_digest(new) + "\n")
            new.chmod(new_checksum.stat().st_mode)  # as readable for others as any file; safetensors asks for less
            checksum.unlink(missing_ok=True)  # an entry without checksum is none: a crash in between does no harm
            new.replace(path)
            new_checksum.replace(checksum)
    except (OSError, SafetensorError) as error:
        _warn(path.parent, error)


def _make_room(parent: Path, room: float) -> bool:
    """Remove the least recently used entries until the others take at most `room` bytes; never one in use here.

    One that another process has mapped stays readable there.

    Returns:
        Whether they do.
    """
    found = []
    for path in parent.glob("*.safetensors"):
        with suppress(FileNotFoundError):
            found.append((path.stat().st_mtime_ns, path.stat().st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total > room and path not in _in_use.values():
            path.with_suffix(".sha256").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            total -= size
    return total <= room


def _warn(parent: Path, reason: object) -> None:
    """Say once that something is not kept."""
    if parent not in _warned:
        _warned.add(parent)
        log.warning("the cache %s cannot be written (%s); what belongs there is made anew each time", parent, reason)
