"""Digests of source files: cache keys have them, so that changed code computes again; records say which code ran."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from multistage.storage import durable

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def code_digest(*places: str) -> str:
    """Return the SHA-256 of Python files of the package, as they were at the first call.

    Args:
        places: Rooms, such as ``data``, or single files, such as ``train/features.py``.
    """
    paths = [PACKAGE / place for place in places]
    files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
    return files_digest(files, PACKAGE)


def files_digest(files: Iterable[Path], root: Path) -> str:
    """Return the SHA-256 of names (relative to `root`) and contents of files, in any order.

    Raises:
        OSError: One cannot be read.
    """
    lines = [f"{file.relative_to(root).as_posix()} {durable.file_digest(file)}" for file in sorted(files)]
    return durable.digest("\n".join(lines).encode())
