"""Many runs as one thing: which are done, do the rest, show how it goes, and the table at the end.

All states are read from the runs' folders (`multistage.records.runs`): whatever engine does the work, and however many
processes share it, the same command again goes on where the folders say.
"""

import shlex
import statistics
import sys
import threading
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from multistage.cli import help, same_images
from multistage.cli.terminal import comparison, duration, line, pictures
from multistage.data import DataSet
from multistage.records import beginnings, runs
from multistage.records.cells import key
from multistage.records.runs import Record
from multistage.registry.errors import MissingDataError, MultistageError, one_line
from multistage.settings.naming import Run

Outcome = str | None
"""What became of a run that was launched: None if it is finished, `BUSY`, or one line that says why it is not."""

BUSY = "busy"

_gone: dict[DataSet, str] = {}
"""Data sets that this process found missing, and why they cannot be downloaded: its other runs do not try again."""

Launch = Callable[[list[Run]], Sequence[Outcome]]
"""Does runs, on any engine, and returns when all are over."""


def sweep(planned: Sequence[Run], launch: Launch, command: str, retry_failed: bool = False) -> int:
    """Do what is left of a list of runs, and show all of them.

    Args:
        planned: All runs, in order.
        launch: Does those that are left.
        command: What was typed, for advice.
        retry_failed: Whether failed runs are done again.

    Returns:
        Exit code: 0, or 4 if some runs failed or are not finished.

    Raises:
        ConfigError: A finished run of the list is another run now; nothing was done.
        KeyboardInterrupt: As typed; what is finished stays.
    """
    planned = list({run.folder: run for run in planned}.values())
    progress = Progress(planned)
    judged = [] if retry_failed else progress.left(())
    reasons = {run.folder: reason for run in judged if (reason := _failure(run) or _given_up(run))}
    failed = len(reasons)
    if todo := progress.left(reasons):
        changed, gone = same_images.other_images([run for run in planned if run.folder in progress.records])
        progress.forget(changed)
        reasons |= {run.folder: gone[run.settings.data] for run in todo if run.settings.data in gone}
        todo = progress.left(reasons)
    print(progress.header(len(todo), failed), flush=True)
    with progress:
        while todo:
            outcomes = _launched(launch, todo)
            reasons |= {folder: outcome for folder, outcome in outcomes.items() if outcome and outcome != BUSY}
            elsewhere = [run for run in todo if outcomes[run.folder] == BUSY]
            _wait(elsewhere)
            reasons |= {run.folder: reason for run in elsewhere if (reason := _failure(run)) is not None}
            progress.show_new()
            todo = progress.left(reasons)
            # what ended without a record is not done again and again
            reasons |= {run.folder: _without_record(run) for run in todo if outcomes[run.folder] is None}
            todo = progress.left(reasons)
    if progress.records:
        try:
            records = list(progress.records.values())
            print("\n".join([comparison(records), *pictures(records)]))
        except MultistageError as error:
            print(f"no table: {error}", file=sys.stderr)
    for text in _what_is_missing([run for run in planned if run.folder in reasons], reasons, command):
        print(text, file=sys.stderr)
    return 4 if reasons else 0


def do(run: Run, execute: Callable[[Run], Any], since: float = 0) -> Outcome:
    """Do one run of a sweep, whatever happens; for launchers.

    Args:
        run: What to do.
        execute: Does it.
        since: When the sweep began, seconds since the epoch: what failed later, in another process, is not repeated.
    """
    try:
        if runs.is_busy(run.folder):
            return BUSY
        reason = _failure(run, since) or _gone.get(run.settings.data)
        if reason is not None:
            return reason
        execute(run)
    except runs.BusyError:
        return BUSY
    except MissingDataError as error:
        return _gone.setdefault(run.settings.data, one_line(error))
    except (MultistageError, OSError) as error:
        return one_line(error)
    except Exception as error:
        import traceback

        traceback.print_exc()
        return f"{type(error).__name__}: {one_line(error)}"
    return None


def mark(run: Run, reason: str) -> None:
    """Note in a run's folder that it failed, for a process that could not, unless another one does the run now."""
    with suppress(OSError, MultistageError), runs.claimed(run.folder):
        runs.fail(run.folder, run.config, {"results_version": runs.RESULTS_VERSION}, MultistageError(reason))


def _given_up(run: Run) -> Outcome:
    """Why a run is marked as failed that was begun again and again, and may have taken its sweep with it each time."""
    if (times := beginnings.count(run.folder)) < beginnings.MOST:
        return None
    mark(run, f"was begun {times} times and did not end; killed each time, as the system does when memory runs out")
    return _failure(run)


class Progress:
    """Which runs of a list are finished, seen on disk; a line for each that becomes so meanwhile.

    Args:
        planned: All runs.

    Attributes:
        records: Of finished runs, by folder.

    Raises:
        ConfigError: A finished run is another run now.
    """

    def __init__(self, planned: Sequence[Run]) -> None:
        self.planned = planned
        self.written = {run.folder: _written(run) for run in planned}
        version = {"results_version": runs.RESULTS_VERSION}
        found = {run.folder: runs.finished(run.folder, run.config, version) for run in planned}
        self.records = {folder: record for folder, record in found.items() if record is not None}
        self.before = len(self.records)
        self.started = time.perf_counter()
        self.stopped = threading.Event()

    def header(self, left: int, failed: int) -> str:
        """How many runs, how many of them done, how long the others will take."""
        parts = [f"{len(self.planned)} runs", f"{len(self.records)} done", f"{left} to do"]
        if failed:
            parts.append(f"{failed} failed before (retry_failed=true does them again)")
        seconds = [self._expected(run) for run in self.planned if run.folder not in self.records]
        known = [s for s in seconds if s is not None]
        if left and known:
            parts.append(f"about {duration(statistics.mean(known) * left)} one after the other")
        return ", ".join(parts)

    def left(self, failed: Container[Path]) -> list[Run]:
        """The runs that are neither finished nor failed, in order; last those that were begun before and did not end.

        One that takes the whole sweep with it, as where a container is killed for its memory, holds up no other.
        """
        found = [run for run in self.planned if run.folder not in self.records and run.folder not in failed]
        return sorted(found, key=lambda run: (run.folder / runs.CONFIG).exists())

    def forget(self, changed: Iterable[Run]) -> None:
        """Count finished runs as unfinished."""
        for run in changed:
            del self.records[run.folder]
        self.before = len(self.records)

    def __enter__(self) -> "Progress":
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()
        self.show_new()

    def _watch(self) -> None:
        while not self.stopped.wait(0.5):
            self.show_new()

    def show_new(self) -> None:
        """Print a line for each run that was finished since the last look."""
        for run in self.planned:
            if run.folder in self.records or _written(run) in (None, self.written[run.folder]):
                continue
            with suppress(MultistageError):
                if record := runs.read(run.folder):
                    self.records[run.folder] = record
                    print(self._line(record), flush=True)

    def _line(self, record: Record) -> str:
        siblings = [other for other in self.records.values() if key(other) == key(record)]
        done, left = len(self.records) - self.before, len(self.planned) - len(self.records)
        seconds = (time.perf_counter() - self.started) / done * left
        return line(record, siblings, f"{len(self.records)}/{len(self.planned)}", seconds)

    def _expected(self, run: Run) -> float | None:
        """Seconds that a run takes: the mean of the finished runs that are most like it; None if none is."""
        for shared in (("data", "model", "stages", "refine", "readout"), ("data", "refine", "readout"), ("data",)):
            alike = [
                sum(record["seconds"].values())
                for record in self.records.values()
                if all(record["config"][name] == run.config[name] for name in shared)
            ]
            if alike:
                return statistics.mean(alike)
        return None


def _written(run: Run) -> int | None:
    """When the record in a run's folder was written, whatever it holds; None if there is none."""
    try:
        return (run.folder / runs.RESULT).stat().st_mtime_ns
    except OSError:
        return None


def _failure(run: Run, since: float = 0) -> str | None:
    """Why this very run failed, if it did, after a moment in seconds since the epoch."""
    note = runs.failure(run.folder)
    if note is None or runs.differences(note, run.config, {"results_version": runs.RESULTS_VERSION}):
        return None
    return str(note["reason"]) if note["time"] > since else None


def _launched(launch: Launch, todo: list[Run]) -> dict[Path, Outcome]:
    """What became of runs; where an engine breaks, what its processes still do is waited for, the rest stays undone."""
    try:
        return dict(zip((run.folder for run in todo), launch(todo), strict=True))
    except Exception as error:
        broken = f"the engine that launches runs failed: {type(error).__name__}: {one_line(error)}"
        return {run.folder: _without_engine(run, broken) for run in todo}


def _without_record(run: Run) -> str:
    """Why a run that ended counts as unfinished all the same."""
    try:
        runs.read(run.folder)
    except MultistageError as error:
        return one_line(error)
    return "it ended and left no record"


def _without_engine(run: Run, broken: str) -> Outcome:
    if runs.state(run.folder) == "finished":
        return None
    return BUSY if runs.is_busy(run.folder) else _failure(run) or broken


def _wait(busy: Sequence[Run]) -> None:
    """Wait for runs that other processes do."""
    if busy:
        print(f"waiting for other processes to do {len(busy)} of the runs", flush=True)
    while any(runs.is_busy(run.folder) for run in busy):
        time.sleep(1)


def _what_is_missing(missing: Sequence[Run], reasons: Mapping[Path, str], command: str) -> list[str]:
    """Which runs failed, and why, with what to type to do each again, or all; and which are not finished."""
    failed = [run for run in missing if _failure(run) is not None]
    undone = [run for run in missing if run not in failed]
    lines = []
    if failed:
        lines.append(f"{len(failed)} of the runs failed:")
        for run in failed:
            lines += [f"  {run.folder}: {reasons[run.folder]}", f"    {rerun(run)}"]
        lines.append(f"all of them again: {command} retry_failed=true")
    if undone:
        lines.append(f"{len(undone)} of the runs could not be finished; the same command goes on with them:")
        lines += [f"  {run.folder}: {reasons[run.folder]}" for run in undone]
    return lines


def rerun(run: Run) -> str:
    """The command that does one run of a sweep again, into the same folder."""
    return f"{help.TRAIN} {shlex.join([*run.overrides, *run.whereabouts])}"
