"""Manifests: the SHA-256 of every file of a data set, in the format of ``sha256sum``."""

import hashlib
import logging
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from multistage.registry.errors import DataError
from multistage.storage import durable

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "manifests"


@cache
def read(name: str) -> dict[str, str]:
    """Read the manifest `name`: relative path -> SHA-256."""
    lines = (FOLDER / f"{name}.sha256").read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def digest(expected: dict[str, str]) -> str:
    """Return one hash for the whole data set."""
    return hashlib.sha256("".join(f"{d}  {p}\n" for p, d in sorted(expected.items())).encode()).hexdigest()


def verify(
    folder: Path,
    expected: dict[str, str],
    ignored: Sequence[str] = (),
    below: str = "",
    advice: str = "",
    skip: bool = False,
) -> tuple[str, ...]:
    """Compare a folder with a manifest, byte for byte.

    Args:
        folder: Folder of the files.
        expected: Relative path -> SHA-256.
        ignored: Patterns of relative paths that may exist without being listed.
        below: Look for unexpected files only in this part of the folder.
        advice: What else the user can do.
        skip: Warn about changed, missing and unexpected files instead of refusing them.

    Returns:
        The names of these files, to be left out.

    Raises:
        DataError: One line that names them.
    """
    present = {p.relative_to(folder).as_posix(): p for p in (folder / below).rglob("*") if p.is_file()}
    problems = {
        "changed": [n for n, p in present.items() if n in expected and file_digest(p) != expected[n]],
        "missing": [n for n in expected if n not in present],
        "unexpected": [n for n in present if n not in expected and not any(fnmatch(n, pattern) for pattern in ignored)],
    }
    if any(problems.values()):
        found = "; ".join(f"{len(names)} {kind}: {some(names)}" for kind, names in problems.items() if names)
        message = f"{folder} differs from its manifest ({found})"
        if not skip:
            raise DataError(f"{message}; restore or remove these files{advice and f', or {advice}'}")
        log.warning("%s; the run leaves these files out, and its result names all of them", message)
    return tuple(sorted(name for names in problems.values() for name in names))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return durable.file_digest(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def some(names: Sequence[str]) -> str:
    """List the first names, and '...' if there are more."""
    shown = ", ".join(sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown}, ..."
