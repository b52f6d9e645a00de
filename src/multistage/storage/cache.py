"""Cache of tensors on disk: decoded images, features of frozen filters, and what is computed from them.

An entry is one safetensors file, named by the hash of everything its content depends on, and a second file with its
SHA-256. Entries are memory-mapped; a damaged one is detected and recomputed. If several processes need the same entry,
one computes it and the others wait. Entries are readable by everyone who can read the folder. A folder that cannot be
read or written is not used.
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
"""Default of ``$MULTISTAGE_CACHE_LIMIT``: GB (10^9 bytes) of all limited entries together."""

DEAR = "filters"
"""Limited entries of this name are removed last: learned filters take minutes to make and little room."""

_in_use: dict[str, Path] = {}
"""For each name, the limited entry that this process used last."""

_warned: set[Path] = set()
"""Folders for which a failed write was already reported."""


def folder() -> Path:
    """Return the cache folder: ``$MULTISTAGE_CACHE``, else the user's cache folder.

    Raises:
        ConfigError: The user has no home folder.
    """
    if chosen := os.environ.get("MULTISTAGE_CACHE"):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "multistage"
    except RuntimeError:
        raise ConfigError("there is no home folder ($HOME) for the cache; set MULTISTAGE_CACHE=FOLDER") from None


def limit() -> float:
    """Return how many bytes limited entries may take together; 0: they are neither kept nor read.

    Raises:
        ConfigError: ``$MULTISTAGE_CACHE_LIMIT`` is not a number of GB.
    """
    text = os.environ.get("MULTISTAGE_CACHE_LIMIT", str(LIMIT))
    with suppress(ValueError):
        if (value := float(text)) >= 0:
            return value * 1e9
    raise ConfigError(f"MULTISTAGE_CACHE_LIMIT={text!r} is not allowed; expected a number of GB, 0 (no cache) or more")


def cached(
    name: str, source: str, build: Build, limited: bool = False, holds: Holds = lambda entry: True
) -> dict[str, Tensor]:
    """Return what `build` returns, from disk if any process has built it before.

    Args:
        name: Readable part of the file's name.
        source: Everything the result depends on, as text.
        build: Computes the tensors.
        limited: Whether the entry counts towards `limit`; the least recently used ones are removed for new ones.
        holds: Whether an entry is still valid; an invalid one is recomputed.

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
        if (found := _read(path)) is not None and holds(found):  # another process may have made it while we waited
            return found
        if found is None and os.access(path, os.R_OK):
            log.warning("%s is damaged; it is recomputed", path)
        tensors = build()
        size = sum(tensor.nbytes for tensor in tensors.values())
        if size > room:
            log.warning("%s is not kept: %.1f GB are above MULTISTAGE_CACHE_LIMIT=%g", path, size / 1e9, room / 1e9)
        elif writable:
            _write(path, tensors, size, room)
    return tensors


def _read(path: Path) -> dict[str, Tensor] | None:
    """Read an intact entry and mark it as most recently used; None if there is none."""
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
    """Hold the lock of this entry, after waiting for other processes; False if the folder has no locks."""
    lock = path.with_suffix(".lock")
    with ExitStack() as held:
        refusal = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(durable.locked(lock))
        except OSError as error:
            refusal = error
        try:
            yield refusal is None
        finally:
            if refusal is None:
                with suppress(OSError):  # Windows refuses this, and removes the file later
                    lock.unlink()
            else:
                _warn(path.parent, refusal)


def _write(path: Path, tensors: dict[str, Tensor], size: int, room: float) -> None:
    """Write an entry of `size` bytes, after removing others to make `room`; do not if there is too little."""
    checksum = path.with_suffix(".sha256")
    try:
        for left in path.parent.glob(f".{path.stem}-*"):  # left by a killed process
            shutil.rmtree(left, ignore_errors=True)
        if math.isfinite(room) and not _make_room(path.parent, room - size):
            log.warning("%s is not kept: entries in use leave less than %.1f GB", path, size / 1e9)
            return
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as scratch:
            new = Path(scratch) / path.name
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, new)
            new_checksum = Path(scratch) / checksum.name
            new_checksum.write_text(durable.file_digest(new) + "\n")
            new.chmod(new_checksum.stat().st_mode)  # as of any new file; safetensors restricts access
            checksum.unlink(missing_ok=True)  # entries without one do not count: a crash in between does no harm
            new.replace(path)
            new_checksum.replace(checksum)
    except (OSError, SafetensorError) as error:
        _warn(path.parent, error)


def _make_room(parent: Path, room: float) -> bool:
    """Remove entries until the others take at most `room` bytes: `DEAR` ones last, the least recently used first.

    One in use here is never removed. An entry that another process has mapped stays readable there.

    Returns:
        Whether enough could be removed.
    """
    found = []
    for path in parent.glob("*.safetensors"):
        with suppress(FileNotFoundError):
            found.append((path.name.startswith(f"{DEAR}-"), path.stat().st_mtime_ns, path.stat().st_size, path))
    total = sum(size for *_, size, _ in found)
    for *_, size, path in sorted(found):
        if total > room and path not in _in_use.values():
            path.with_suffix(".sha256").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            total -= size
    return total <= room


def _warn(parent: Path, reason: object) -> None:
    """Warn once for each folder that something is not kept."""
    if parent not in _warned:
        _warned.add(parent)
        log.warning("the cache %s cannot be written (%s); its entries are recomputed each time", parent, reason)
