"""Provenance of a result: the code that ran, and the circumstances of each part of a resumed run."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from multistage.storage.code import PACKAGE, files_digest

CHECKOUT = PACKAGE.parents[1]

STRETCHES, EPOCHS = "stretches", "epochs"

Stretch = dict[str, Any]
"""A part of a run without interruption: its `code`, versions, hardware and threads."""


def code() -> dict[str, Any]:
    """Identify the code on disk: its commit, whether files differ from it, and a digest of package and settings.

    Returns:
        ``commit`` and ``dirty``, None unless the package is in its own checkout; ``code``, 16 hexadecimal digits.
    """
    commit, dirty, top = None, None, _git("rev-parse", "--show-toplevel")
    if top is not None and Path(top).resolve() == CHECKOUT and PACKAGE.parent.name == "src":
        changes = _git("status", "--porcelain", "--untracked-files=all")
        commit, dirty = _git("rev-parse", "HEAD"), None if changes is None else _differs(changes)
    return {"commit": commit, "dirty": dirty, "code": _digest()}


@cache
def started() -> dict[str, Any]:
    """Return `code` at the first call in this process: the code that runs, even if files change later."""
    return code()


def of_result() -> dict[str, Any]:
    """Return the code fields of a record: the code at the start of the process, and ``code_at_end`` if it changed."""
    at_end = _changed(code(), started())
    return {**started(), **({"code_at_end": at_end} if at_end else {})}


def is_by_other_code(record: Mapping[str, Any]) -> bool:
    """Whether the code has changed since a record was written; not if the record does not say (the oldest ones)."""
    return record.get("code", started()["code"]) != started()["code"]


def stretches(before: Sequence[Stretch], now: Stretch, epochs: int) -> list[Stretch]:
    """Return all stretches of a run, the current one last; a stretch equal to the one before it is merged with it.

    Args:
        before: Stretches from the checkpoint; none for a new run.
        now: The current stretch.
        epochs: Number of epochs before it.
    """
    if not before or before[-1] == now:
        return [*before] or [now]
    return [*before[:-1], {**before[-1], EPOCHS: epochs}, now]


def resumed(done: Sequence[Stretch]) -> dict[str, Any]:
    """Return the field of a record about a run that was resumed under different circumstances, if it was.

    Returns:
        ``resumed``: for each earlier stretch, what differed from the last one (which the record describes), and the
        number of epochs of the run at its end (``epochs``).
    """
    return {"resumed": [_changed(stretch, done[-1]) for stretch in done[:-1]]} if len(done) > 1 else {}


def _changed(these: Mapping[str, Any], those: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items of `these` that differ in `those`, also within nested mappings."""
    found = {}
    for name, value in these.items():
        other = those.get(name)
        if value != other:
            found[name] = _changed(value, other) if isinstance(value, dict) and isinstance(other, dict) else value
    return found


def _differs(changes: str) -> bool:
    """Whether ``git status --porcelain`` names a changed file; new files count only in src/ and conf/."""
    return any(
        not line.startswith("??") or line[3:].strip('"').startswith(("src/", "conf/")) for line in changes.splitlines()
    )


def _digest() -> str:
    """Digest the package's Python files and settings, in the order of their names."""
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.yaml"), *CHECKOUT.glob("conf/**/*.yaml")]
    return files_digest(files, CHECKOUT)[:16]


def _git(*arguments: str) -> str | None:
    """Run git in the package's folder, ignoring GIT_* variables; None if it fails."""
    command = ["git", "--no-optional-locks", "-C", str(PACKAGE), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10, env=environment)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.rstrip("\n")
