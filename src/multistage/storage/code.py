"""Digests of source files: cache keys have them, so that changed code computes again; records say which code ran."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from multistage.storage import durable

PACKAGE = Path(__file__).resolve().parents[1]


def code_digest(*places: str) -> str:
    """Return the SHA-256 of Python files of the package, as they were when this process started.

    If one has changed since, nobody knows which version was loaded: the digest is then that of neither.

    Args:
        places: Rooms, such as ``data``, or single files, such as ``train/features.py``.

    Raises:
        OSError: There is no such file.
    """
    paths = [PACKAGE / place for place in places]
    now = _digests(file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path]))
    at_start = started(PACKAGE).items()
    before = {file: digest for file, digest in at_start if any(file.is_relative_to(path) for path in paths)}
    versions = [before] if before == now else [before, now]
    return durable.digest("\nnow\n".join(_lines(version, PACKAGE) for version in versions).encode())


@cache
def started(package: Path) -> Mapping[Path, str]:
    """Return the SHA-256 of each Python file of a package at the first call."""
    return _digests(package.rglob("*.py"))


def files_digest(files: Iterable[Path], root: Path) -> str:
    """Return the SHA-256 of names (relative to `root`) and contents of files, in any order.

    Raises:
        OSError: One cannot be read.
    """
    return durable.digest(_lines(_digests(files), root).encode())


def _digests(files: Iterable[Path]) -> dict[Path, str]:
    return {file: durable.file_digest(file) for file in files}


def _lines(digests: Mapping[Path, str], root: Path) -> str:
    """Write name and digest of each file, one a line."""
    return "\n".join(f"{file.relative_to(root).as_posix()} {digest}" for file, digest in sorted(digests.items()))


started(PACKAGE)  # other modules are loaded after this one
