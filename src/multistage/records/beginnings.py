"""Count how often a run was started and did not end, so that one that kills its whole sweep is not restarted forever.

A run that ends resets its count, whether it finishes, fails, or is interrupted by a person. The count remains if the
process is killed, as when memory runs out.
"""

from contextlib import suppress
from pathlib import Path

from multistage.storage import durable

FILE = ".begun"
"""File in a run's folder: the count, and the time of the checkpoint it resumed from, in nanoseconds (0: none)."""

MOST = 3
"""Maximum number of starts without an end and without progress."""

_here: set[Path] = set()
"""Folders of runs that this process has started."""


def count(folder: Path) -> int:
    """Return how often a run was started since its last progress, without an end."""
    return _read(folder)[0]


def begin(folder: Path, checkpoint: Path | None) -> None:
    """Count a start; it is the first one if the checkpoint is newer than at the last start.

    Args:
        folder: The run's folder, claimed.
        checkpoint: The checkpoint it resumes from.
    """
    times, before = _read(folder)
    written = checkpoint.stat().st_mtime_ns if checkpoint else 0
    (folder / FILE).write_text(f"{1 if written > before else times + 1} {written}", encoding="ascii")
    _here.add(folder)


def end() -> None:
    """Reset the counts of all runs that this process has started."""
    for folder in [*_here]:
        with suppress(OSError):
            (folder / FILE).unlink(missing_ok=True)
    _here.clear()


def keep() -> None:
    """Keep the counts although this process ends normally, because its sweep was killed."""
    _here.clear()


def _read(folder: Path) -> tuple[int, int]:
    try:
        times, written = map(int, durable.read(folder / FILE, 100).split())
    except (OSError, ValueError):
        return 0, 0
    return times, written
