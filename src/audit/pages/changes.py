"""``results/CHANGES.md``: which published figure moved when, by which commit, and why.

It is replayed from Git: every commit that changed ``results/*/records.jsonl`` took lines away and added others. A
figure is the mean accuracy over classes of the runs that differ only in draw and seed, in % to two decimals.

A commit cannot name itself: one that changes records is listed by the next commit that runs ``scripts/report.py``. The
whole history is needed. In a shallow clone, or outside of Git, the text is left as it is.
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
from multistage.records.cells import METRIC, common_path
from multistage.registry.errors import MultistageError

CHANGES = "CHANGES.md"
PATTERN = f"results/*/{RECORDS}"

Runs = dict[str, float]
"""Accuracy in %, by the checksum or, of the oldest records, the text of a run's line."""


@dataclass(frozen=True)
class Moved:
    """A figure before and after a commit.

    Attributes:
        figure: Folder of results and settings.
        before: Runs.
        after: Runs.
    """

    figure: str
    before: Runs
    after: Runs

    @property
    def reason(self) -> str:
        """What became of the runs: others joined them, some left, or both."""
        added, gone = self.after.keys() - self.before.keys(), self.before.keys() - self.after.keys()
        return f"{count(len(added), 'run')} added" + f", {len(gone)} taken away" * bool(gone)


@dataclass(frozen=True)
class Change:
    """What a commit did to figures.

    Attributes:
        commit: Its digest.
        day: When it was committed.
        subject: Its first line: why.
        new: How many figures of each folder it added.
        gone: Figures that it took away.
        moved: Figures that it moved.
    """

    commit: str
    day: str
    subject: str
    new: Mapping[str, int]
    gone: Sequence[str]
    moved: Sequence[Moved]

    @property
    def summary(self) -> str:
        """How many figures are new, by folder."""
        new = [f"{count(number, 'new figure')} in {folder}" for folder, number in self.new.items()]
        return listed(new) if new else "no new figure"


def document(root: Path, *revisions: str) -> str:
    """The text, newest commit first.

    Args:
        root: Of the repository.
        revisions: Whose history is told; none: HEAD.

    Raises:
        MultistageError: The history is not there, or does not lead to the records.
    """
    return render("pages/changes.md", changes=list(replay(root, *revisions or ("HEAD",)))[::-1], table=_table)


def is_whole(root: Path) -> bool:
    """Whether this is a repository of its own, with its whole history."""
    try:
        return Path(_git(root, "rev-parse", "--show-toplevel").strip()) == root.resolve() and (
            _git(root, "rev-parse", "--is-shallow-repository").strip() == "false"
        )
    except MultistageError:
        return False


def is_current(root: Path) -> bool:
    """Whether the text is what the history makes: all of it, or what there was when the text was last committed."""
    text, last = (
        (root / "results" / CHANGES).read_text("utf-8"),
        _git(root, "log", "-1", "--format=%H", "--", f"results/{CHANGES}"),
    )
    return text == document(root) or (bool(last) and text == document(root, f"{last.strip()}^@"))


def replay(root: Path, *revisions: str) -> Iterator[Change]:
    """Every commit that changed a record, oldest first.

    Raises:
        MultistageError: Git is not there or fails.
    """
    figures: dict[str, Runs] = {}
    log = ("log", "--reverse", "--topo-order", "--no-renames", "--format=%x00%H%x00%cs%x00%s", "-p", "-U0")
    _, *parts = _git(root, *log, *revisions, "--", PATTERN).split("\0")
    for commit, day, rest in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        subject, *lines = rest.split("\n")
        before = {name: dict(runs) for name, runs in figures.items()}
        _apply(figures, lines)
        change = _change(commit, day, subject, before, figures)
        if change.new or change.gone or change.moved:
            yield change


def _apply(figures: dict[str, Runs], lines: Sequence[str]) -> None:
    """Take a commit's lines away from figures, and add its new ones."""
    folder = ""
    for line in lines:
        if line.startswith("diff --git "):
            folder = Path(line.rpartition(" b/")[2]).parent.name
        elif line.startswith(("-{", "+{")):
            record = json.loads(line[1:])
            name = f"{folder}: {'/'.join(part.strip('/') for part in common_path(record) if part)}"
            digest = record.get("checksum", line[1:])
            runs = figures.setdefault(name, {})
            if line[0] == "+":
                runs[digest] = 100 * record["metrics"][METRIC]
            else:
                del runs[digest]
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
        done = subprocess.run(["git", "-C", root, *words], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MultistageError(
            f"git {words[0]} fails in {root}; expected a repository with its whole history"
        ) from error
    return done.stdout.decode()
