"""``results/CHANGES.md``: which published figure changed when, by which commit, and why.

The list is derived from the Git history: commits that changed ``results/*/records.jsonl`` removed and added lines. A
figure is the mean per-class accuracy of runs that differ only in draw and seed, in % with two decimals.

A commit cannot contain its own hash: one that changes records is listed by the next commit that runs
``scripts/report.py``. The full history is needed; in a shallow clone, or outside Git, the text is not changed.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from audit.tables.results import RECORDS
from audit.tables.tables import rows
from audit.tables.templates import render
from audit.tables.words import count, listed
from multistage.records.cells import accuracy, common_path
from multistage.registry.errors import MultistageError

CHANGES = "CHANGES.md"
PATTERN = f"results/*/{RECORDS}"

Runs = dict[str, float]
"""Accuracy in %, by the checksum of a run's line, or by its text for the oldest records."""


@dataclass(frozen=True)
class Moved:
    """A figure before and after a commit.

    Attributes:
        figure: Folder of results and settings.
        before: Runs before.
        after: Runs after.
    """

    figure: str
    before: Runs
    after: Runs

    @property
    def reason(self) -> str:
        """Say how many runs were added or removed."""
        added, gone = self.after.keys() - self.before.keys(), self.before.keys() - self.after.keys()
        return f"{count(len(added), 'run')} added" + f", {len(gone)} taken away" * bool(gone)


@dataclass(frozen=True)
class Change:
    """Changes of figures by a commit.

    Attributes:
        commit: Its hash.
        day: Date of the commit.
        subject: First line of its message, the reason.
        new: Number of figures that it added, by folder.
        gone: Figures that it removed.
        moved: Figures that it changed.
    """

    commit: str
    day: str
    subject: str
    new: Mapping[str, int]
    gone: Sequence[str]
    moved: Sequence[Moved]

    @property
    def summary(self) -> str:
        """Say how many figures are new, by folder."""
        new = [f"{count(number, 'new figure')} in {folder}" for folder, number in self.new.items()]
        return listed(new) if new else "no new figure"


def document(root: Path, *revisions: str) -> str:
    """Write the text, newest commit first.

    Args:
        root: Root of the repository.
        revisions: Revisions whose history is listed; HEAD by default.

    Raises:
        MultistageError: The history is missing.
    """
    return render("pages/changes.md", changes=list(replay(root, *revisions or ("HEAD",)))[::-1], table=_table)


def is_whole(root: Path) -> bool:
    """Return whether this is the root of a repository with its full history."""
    try:
        return Path(_git(root, "rev-parse", "--show-toplevel").strip()) == root.resolve() and (
            _git(root, "rev-parse", "--is-shallow-repository").strip() == "false"
        )
    except MultistageError:
        return False


def is_current(root: Path) -> bool:
    """Return whether the text matches the history: up to now, or up to the text's last commit."""
    file = root / "results" / CHANGES
    text = file.read_text("utf-8") if file.exists() else ""
    last = _git(root, "log", "-1", "--format=%H", "--", f"results/{CHANGES}")
    return text == document(root) or (bool(last) and text == document(root, f"{last.strip()}^@"))


def replay(root: Path, *revisions: str) -> Iterator[Change]:
    """List every commit that changed a record, oldest first.

    Raises:
        MultistageError: Git is missing or fails.
    """
    figures: dict[str, Runs] = {}
    form = ("--no-renames", "--no-color", "--format=%x00%H%x00%cs%x00%s", "-p", "-U0")
    _, *parts = _git(root, "log", "--reverse", "--topo-order", *form, *revisions, "--", PATTERN).split("\0")
    for commit, day, rest in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        subject, *lines = rest.split("\n")
        before = {name: dict(runs) for name, runs in figures.items()}
        _apply(figures, lines)
        change = _change(commit, day, subject, before, figures)
        if change.new or change.gone or change.moved:
            yield change


def _apply(figures: dict[str, Runs], lines: Sequence[str]) -> None:
    """Remove a commit's deleted lines from figures, and add its new ones."""
    folder, found = "", []
    for line in lines:
        if line.startswith("diff --git "):
            folder = Path(line.rpartition(" b/")[2]).parent.name
        elif line.startswith(("-{", "+{")):
            record = json.loads(line[1:])
            name = f"{folder}: {'/'.join(part.strip('/') for part in common_path(record) if part)}"
            found.append((line[0], name, record.get("checksum", line[1:]), accuracy(record)))
    for sign, name, digest, value in sorted(found, key=lambda each: each[0] == "+"):  # a line may move up in its file
        runs = figures.setdefault(name, {})
        if sign == "+":
            runs[digest] = value
        else:
            runs.pop(digest, None)  # another branch may have removed it, too
            if not runs:
                del figures[name]


def _change(commit: str, day: str, subject: str, before: Mapping[str, Runs], after: Mapping[str, Runs]) -> Change:
    folders = [name.partition(":")[0] for name in after if name not in before]
    both = [Moved(name, runs, dict(after[name])) for name, runs in before.items() if name in after]
    return Change(
        commit,
        day,
        subject,
        {folder: folders.count(folder) for folder in dict.fromkeys(folders)},
        [name for name in before if name not in after],
        [each for each in both if _shown(each.before) != _shown(each.after)],
    )


def _shown(runs: Runs) -> str:
    return f"{fmean(runs.values()):.2f} ({len(runs)})"


def _table(change: Change) -> str:
    lines = [[f"`{each.figure}`", _shown(each.before), _shown(each.after), each.reason] for each in change.moved]
    return rows(["figure", "before, % (runs)", "after, % (runs)", "runs"], lines)


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", root, "-c", "log.showRoot=true", *words], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MultistageError(
            f"git {words[0]} fails in {root}; expected a repository with its whole history"
        ) from error
    return done.stdout.decode()
