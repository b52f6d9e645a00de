"""Digests of source files: cache keys have them, so that changed code computes again; records say which code ran."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from multistage.storage import durable

PACKAGE = Path(__file__).resolve().parents[1]


def code_digest(*places: str) -> str:
    """Return the SHA-256 of Python files of the package, as they were when this process started.

    If one has changed since, nobody knows which of both has been loaded: the digest is then that of neither.

    Args:
        places: Rooms, such as ``data``, or single files, such as ``train/features.py``.
    """
    before, now = (_lines(files, places) for files in (started(PACKAGE), _digests(PACKAGE)))
    return durable.digest((before if before == now else f"{before}\nnow\n{now}").encode())


@cache
def started(package: Path) -> Mapping[str, str]:
    """Return the SHA-256 of each Python file of a package at the first call, by its path below the package."""
    return _digests(package)


def files_digest(files: Iterable[Path], root: Path) -> str:
    """Return the SHA-256 of names (relative to `root`) and contents of files, in any order.

    Raises:
        OSError: One cannot be read.
    """
    lines = [f"{file.relative_to(root).as_posix()} {durable.file_digest(file)}" for file in sorted(files)]
    return durable.digest("\n".join(lines).encode())


def _digests(package: Path) -> dict[str, str]:
    files = sorted(package.rglob("*.py"))
    return {file.relative_to(package).as_posix(): durable.file_digest(file) for file in files}


def _lines(digests: Mapping[str, str], places: Iterable[str]) -> str:
    """List the digests of the files of some places, one a line."""
    wanted = tuple(places)
    below = tuple(f"{place}/" for place in wanted)
    return "\n".join(f"{name} {digest}" for name, digest in digests.items() if name in wanted or name.startswith(below))


started(PACKAGE)  # other modules are loaded after this one
