"""A sweep: find out which runs are done, do the rest, show progress, and print the table at the end.

All states are read from the runs' folders (`multistage.records.runs`). So repeating the command resumes the sweep, for
any launcher and any number of processes that share it.
"""

import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from multistage.cli import help, same_images
from multistage.cli.progress import Progress
from multistage.cli.terminal import comparison, pictures
from multistage.data import DataSet
from multistage.records import beginnings, runs
from multistage.registry.errors import MissingDataError, MultistageError, one_line
from multistage.settings.naming import Run

Outcome = str | None
"""Outcome of a launched run: None if it is finished, `BUSY`, or one line with the reason why not."""

BUSY = "busy"

_gone: dict[DataSet, str] = {}
"""Data sets that this process found missing, with the reason, so that its other runs do not try again."""

Launch = Callable[[list[Run]], Sequence[Outcome]]
"""Does runs with any launcher, and returns when all have ended."""


def sweep(
    planned: Sequence[Run], launch: Launch, command: str, retry_failed: bool = False, elsewhere: bool = False
) -> int:
    """Do the remaining runs of a list, and show all of them.

    Args:
        planned: All runs, in order.
        launch: Does the remaining ones.
        command: The command line, for messages.
        retry_failed: Whether to repeat failed runs.
        elsewhere: Whether runs are done on other machines, which may have other images.

    Returns:
        Exit code: 0, or 4 if some runs failed or are not finished.

    Raises:
        ConfigError: A finished run differs from the planned one; no run was started.
        KeyboardInterrupt: Ctrl-C was pressed; finished runs stay.
    """
    planned = list({run.folder: run for run in planned}.values())
    progress = Progress(planned)
    judged = [] if retry_failed else progress.left(())
    reasons = {run.folder: reason for run in judged if (reason := _failure(run) or _given_up(run))}
    failed = len(reasons)
    if todo := progress.left(reasons):
        changed, gone = same_images.other_images([run for run in planned if run.folder in progress.records])
        progress.forget(changed)
        if elsewhere:  # the other machines look for their own images
            gone = {}
        else:
            gone |= same_images.missing({run.settings.data for run in todo} - gone.keys())
        reasons |= {run.folder: gone[run.settings.data] for run in todo if run.settings.data in gone}
        todo = progress.left(reasons)
    print("\n".join(filter(None, [progress.header(len(todo), failed), progress.by_other_code()])), flush=True)
    with progress:
        while todo:
            outcomes = _launched(launch, todo)
            reasons |= {folder: outcome for folder, outcome in outcomes.items() if outcome and outcome != BUSY}
            busy = [run for run in todo if outcomes[run.folder] == BUSY]
            _wait(busy)
            reasons |= {run.folder: reason for run in busy if (reason := _failure(run)) is not None}
            progress.show_new()
            todo = progress.left(reasons)
            # runs that end without a record are not repeated forever
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
    """Do one run of a sweep and catch all errors; for launchers.

    Args:
        run: The run.
        execute: Does it.
        since: Start of the sweep, seconds since the epoch; a run that failed later, in another process, is not
            repeated.
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
    """Mark a run as failed on behalf of a process that died, unless another process is doing the run now."""
    with suppress(OSError, MultistageError), runs.claimed(run.folder):
        runs.fail(run.folder, run.config, runs.identity(), MultistageError(reason))


def _given_up(run: Run) -> Outcome:
    """Return why a run is marked as failed that was started repeatedly and never ended."""
    if (times := beginnings.count(run.folder)) < beginnings.MOST:
        return None
    mark(run, f"was started {times} times and did not end; killed each time, as the system does when memory runs out")
    return _failure(run)


def _failure(run: Run, since: float = 0) -> str | None:
    """Return why this run failed, if it did, after a time in seconds since the epoch."""
    note = runs.failure(run.folder)
    if note is None or runs.differences(note, run.config, runs.identity()):
        return None
    return str(note["reason"]) if note["time"] > since else None


def _launched(launch: Launch, todo: list[Run]) -> dict[Path, Outcome]:
    """Launch runs and return their outcomes; if the launcher fails, wait for what its processes still do."""
    try:
        return dict(zip((run.folder for run in todo), launch(todo), strict=True))
    except Exception as error:
        broken = f"the launcher failed: {type(error).__name__}: {one_line(error)}"
        return {run.folder: _without_engine(run, broken) for run in todo}


def _without_record(run: Run) -> str:
    """Return why a run that ended still counts as unfinished."""
    try:
        runs.read(run.folder)
    except MultistageError as error:
        return one_line(error)
    return "it ended without a record"


def _without_engine(run: Run, broken: str) -> Outcome:
    if runs.state(run.folder) == "finished":
        return None
    return BUSY if runs.is_busy(run.folder) else _failure(run) or broken


def _wait(busy: Sequence[Run]) -> None:
    """Wait for runs of other processes."""
    if busy:
        print(f"waiting for {len(busy)} of the runs, which other processes are doing", flush=True)
    while any(runs.is_busy(run.folder) for run in busy):
        time.sleep(1)


def _what_is_missing(missing: Sequence[Run], reasons: Mapping[Path, str], command: str) -> list[str]:
    """List failed runs with reasons and the commands that repeat one or all, and unfinished runs."""
    failed, undone = list[Run](), dict[str, list[Run]]()
    for run in missing:
        if _failure(run) is not None:
            failed.append(run)
        else:
            undone.setdefault(reasons[run.folder], []).append(run)
    lines = []
    if failed:
        lines.append(f"{len(failed)} of the runs failed:")
        for run in failed:
            lines += [f"  {run.folder}: {reasons[run.folder]}", f"    {rerun(run)}"]
        lines.append(f"to repeat all of them: {command} retry_failed=true")
    if undone:
        count = sum(map(len, undone.values()))
        lines.append(f"{count} of the runs could not be finished; repeat the command to resume them:")
        for reason, (first, *others) in undone.items():
            lines.append(f"  {first.folder}{f' and {len(others)} others' if others else ''}: {reason}")
    return lines


def rerun(run: Run) -> str:
    """Return the command that repeats one run of a sweep, in the same folder."""
    return f"{help.TRAIN} {shlex.join([*run.overrides, *run.whereabouts])}"
