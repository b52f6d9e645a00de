"""Where a result came from: the code that ran, and under what circumstances each stretch of a resumed run was done."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from multistage.storage import durable

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = PACKAGE.parents[1]

STRETCHES, EPOCHS = "stretches", "epochs"

Stretch = dict[str, Any]
"""A part of a run that was done in one go: `code`, and what is known of versions, hardware and threads."""


def code() -> dict[str, Any]:
    """The code on disk: its commit, whether files differ from it, and a digest of the files that compute.

    Returns:
        ``commit`` and ``dirty``, None unless the package lies in a checkout of its own; ``code``, 16 hexadecimal
        digits.
    """
    top = _git("rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != CHECKOUT or PACKAGE.parent.name != "src":
        return {"commit": None, "dirty": None, "code": _digest()}
    changes = _git("status", "--porcelain", "--untracked-files=all")
    return {"commit": _git("rev-parse", "HEAD"), "dirty": None if changes is None else _differs(changes)} | {
        "code": _digest()
    }


@cache
def started() -> dict[str, Any]:
    """`code` when this was first asked in this process: what runs here, whatever becomes of the files."""
    return code()


def of_result() -> dict[str, Any]:
    """What a record says of the code: as it was when the process began, and ``code_at_end`` if that is another."""
    at_end = _changed(code(), started())
    return {**started(), **({"code_at_end": at_end} if at_end else {})}


def stretches(before: Sequence[Stretch], now: Stretch, epochs: int) -> list[Stretch]:
    """All stretches of a run, the present one last; one that goes on as the one before it did is no other.

    Args:
        before: Those that a checkpoint tells of, none for a run that begins.
        now: The present one.
        epochs: How many epochs were done in those before.
    """
    if not before or before[-1] == now:
        return [*before] or [now]
    return [*before[:-1], {**before[-1], EPOCHS: epochs}, now]


def resumed(done: Sequence[Stretch]) -> dict[str, Any]:
    """What a record says of a run that was resumed under other circumstances: nothing, if there were none.

    Returns:
        ``resumed``: of each earlier stretch what was other than in the last one, which the record describes, and after
        how many epochs of the run it ended (``epochs``).
    """
    return {"resumed": [_changed(stretch, done[-1]) for stretch in done[:-1]]} if len(done) > 1 else {}


def _changed(these: Mapping[str, Any], those: Mapping[str, Any]) -> dict[str, Any]:
    """What is in `these` and otherwise in `those`, of mappings within them too."""
    found = {}
    for name, value in these.items():
        other = those.get(name)
        if value != other:
            found[name] = _changed(value, other) if isinstance(value, dict) and isinstance(other, dict) else value
    return found


def _differs(changes: str) -> bool:
    """Whether ``git status --porcelain`` names a file that differs; new ones count where code and settings lie."""
    return any(
        not line.startswith("??") or line[3:].strip('"').startswith(("src/", "conf/")) for line in changes.splitlines()
    )


def _digest() -> str:
    """Of the package's Python files and settings, in the order of their names."""
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.yaml"), *CHECKOUT.glob("conf/**/*.yaml")]
    lines = [f"{file.relative_to(CHECKOUT).as_posix()} {durable.file_digest(file)}" for file in sorted(files)]
    return durable.digest("\n".join(lines).encode())[:16]


def _git(*arguments: str) -> str | None:
    """What git says of the folder of this package, whatever repository the environment names."""
    command = ["git", "--no-optional-locks", "-C", str(PACKAGE), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10, env=environment)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.rstrip("\n")
