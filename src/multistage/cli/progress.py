"""Progress of a sweep: which runs are finished, by their folders, and the time that the others will take."""

import statistics
import threading
import time
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from multistage.cli.terminal import duration, line
from multistage.records import provenance, runs
from multistage.records.cells import Key, key
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.settings.naming import Run
from multistage.settings.tree import Config


class Progress:
    """Finished runs of a list, as found on disk, with a line for each newly finished run.

    Args:
        planned: All runs.

    Attributes:
        records: Records of finished runs, by folder.
        cells: The same, by cell and folder.

    Raises:
        ConfigError: A finished run differs from the planned one.
    """

    def __init__(self, planned: Sequence[Run]) -> None:
        self.planned = planned
        self.written = {run.folder: _written(run) for run in planned}
        found = {run.folder: runs.finished(run.folder, run.config, runs.identity()) for run in planned}
        self.records = {folder: record for folder, record in found.items() if record is not None}
        self.cells: dict[Key, dict[Path, Record]] = {}
        for folder, record in self.records.items():
            self.cells.setdefault(key(record), {})[folder] = record
        self.before = len(self.records)
        self.started = time.perf_counter()
        self.stopped, self.looking = threading.Event(), threading.Lock()

    def header(self, left: int, failed: int) -> str:
        """Return the number of runs, the number done, and the time for the others."""
        parts = [f"{len(self.planned)} runs", f"{len(self.records)} done", f"{left} to do"]
        if failed:
            parts.append(f"{failed} failed before (retry_failed=true repeats them)")
        if left and (expected := self._expected()):
            parts.append(f"about {duration(statistics.mean(expected) * left)} one after the other")
        return ", ".join(parts)

    def by_other_code(self) -> str:
        """Return a line that counts finished runs since which the code has changed; "" if there are none."""
        count = sum(map(provenance.is_by_other_code, self.records.values()))
        return (
            f"the code has changed since {count} of the runs were done; overwrite=true trains a single one again"
            if count
            else ""
        )

    def left(self, failed: Container[Path]) -> list[Run]:
        """Return the runs that are neither finished nor failed, in order; those that started and did not end come last.

        So a run that kills the whole sweep (for example, by exceeding a container's memory) does not block the others.
        """
        found = [run for run in self.planned if run.folder not in self.records and run.folder not in failed]
        return sorted(found, key=lambda run: (run.folder / runs.CONFIG).exists())

    def forget(self, changed: Iterable[Run]) -> None:
        """Count finished runs as unfinished."""
        for run in changed:
            del self.cells[key(self.records.pop(run.folder))][run.folder]
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
        with self.looking:
            for run in self.planned:
                if run.folder in self.records or _written(run) in (None, self.written[run.folder]):
                    continue
                with suppress(MultistageError):
                    if record := runs.read(run.folder):
                        self.records[run.folder] = record
                        self.cells.setdefault(key(record), {})[run.folder] = record
                        print(self._line(record), flush=True)

    def _line(self, record: Record) -> str:
        done, left = len(self.records) - self.before, len(self.planned) - len(self.records)
        seconds = (time.perf_counter() - self.started) / done * left
        return line(record, list(self.cells[key(record)].values()), f"{len(self.records)}/{len(self.planned)}", seconds)

    def _expected(self) -> list[float]:
        """Estimate the seconds of each remaining run: the mean of the most similar finished runs, if any."""
        seconds: dict[Key, list[float]] = {}
        for record in self.records.values():
            for alike in _likenesses(record["config"]):
                seconds.setdefault(alike, []).append(sum(record["seconds"].values()))
        means = {alike: statistics.mean(found) for alike, found in seconds.items()}
        left = [run for run in self.planned if run.folder not in self.records]
        known = ([means[alike] for alike in _likenesses(run.config) if alike in means] for run in left)
        return [found[0] for found in known if found]


def _likenesses(config: Config) -> list[Key]:
    """Return keys that runs of similar duration share, the most specific first."""
    shared = (("data", "model", "stages", "refine", "readout"), ("data", "refine", "readout"), ("data",))
    return [tuple((name, config[name]) for name in names) for names in shared]


def _written(run: Run) -> int | None:
    """Return when the record in a run's folder was written; None if there is none."""
    try:
        return (run.folder / runs.RESULT).stat().st_mtime_ns
    except OSError:
        return None
