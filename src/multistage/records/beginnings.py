"""How often a run was begun and did not end, so that one that takes its whole sweep with it is not begun for ever.

A run that ends takes its count back, whether it is finished, fails, or is ended by a person. Where processes are
killed, as when memory runs out, nobody does.
"""

from contextlib import suppress
from pathlib import Path

from multistage.storage import durable

FILE = ".begun"
"""In a run's folder: how often, and when the checkpoint was written that it went on from, in nanoseconds (0: none)."""

MOST = 3
"""So many times a run is begun that does not end and gets no further."""

_here: set[Path] = set()
"""Folders of runs that this process has begun."""


def count(folder: Path) -> int:
    """How often a run was begun since it last got further, if it did not end."""
    return _read(folder)[0]


def begin(folder: Path, checkpoint: Path | None) -> None:
    """Count a beginning, the first one if there is a later checkpoint than the last time.

    Args:
        folder: The run's folder, claimed.
        checkpoint: What it goes on from.
    """
    times, before = _read(folder)
    written = checkpoint.stat().st_mtime_ns if checkpoint else 0
    (folder / FILE).write_text(f"{1 if written > before else times + 1} {written}", encoding="ascii")
    _here.add(folder)


def end() -> None:
    """Take back the counts of all runs that this process has begun."""
    for folder in [*_here]:
        with suppress(OSError):
            (folder / FILE).unlink(missing_ok=True)
    _here.clear()


def keep() -> None:
    """Let the counts stay although this process ends in good order, since what it works for was killed."""
    _here.clear()


def _read(folder: Path) -> tuple[int, int]:
    try:
        times, written = map(int, durable.read(folder / FILE, 100).split())
    except (OSError, ValueError):
        return 0, 0
    return times, written
