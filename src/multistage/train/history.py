"""The history of a run: metrics of each epoch, in ``metrics.csv`` and on dashboards, and seconds of each phase."""

import csv
import io
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from multistage.dashboards import Guarded
from multistage.records.runs import METRICS
from multistage.storage import durable

Row = dict[str, float]

FAR, CLEARLY = 10, 1.01
"""Training has diverged if its last loss is more than `FAR` times a possible initial loss, or more than `CLEARLY` times
a loss that it must not exceed."""


def divergence(losses: Sequence[float], classes: int) -> str | None:
    """Describe how a training with finite loss has diverged; None if it has not.

    Only the loss of the first epoch may be above ln(classes), where networks start.

    Args:
        losses: Mean cross-entropy of the training images in each epoch, nats.
        classes: Number of classes; uniform probabilities have a loss of ln(classes).
    """
    first, last, nothing = losses[0], losses[-1], math.log(classes)
    bounds = {
        f"ln({classes}) = {nothing:.3g} and that of its first epoch, {first:.3g}": CLEARLY * max(nothing, first),
        f"{FAR} times ln({classes}) = {nothing:.3g}": FAR * nothing,
        f"{FAR} times that of its first epoch, {first:.3g}": FAR * first,
    }
    for words, bound in bounds.items():
        if last > bound:
            return f"its training loss ended at {last:.3g}, above {words}"
    return None


class History:
    """Rows of metrics, written immediately.

    Args:
        folder: The run's folder; None: nothing is written.

    Attributes:
        dashboard: A dashboard of `multistage.dashboards`, none at first.
        rows: Rows in order; the first column counts epochs (or iterations).
        seconds: Seconds of each phase of the run, by name.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.dashboard: Guarded | None = None
        self.rows: list[Row] = []
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the seconds of a phase (context manager)."""
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)

    def add(self, metrics: Mapping[str, float], step: int, unit: str = "epoch") -> None:
        """Append a row.

        Args:
            metrics: Values by name.
            step: Number of the epoch (or iteration), from 1.
            unit: Name of the first column, such as epoch.
        """
        self._append({unit: step, **metrics})
        self._write()

    def restore(self, rows: Sequence[Row]) -> None:
        """Continue after the rows of an interrupted run."""
        self.rows = []
        for row in rows:
            self._append(dict(row))
        self._write()

    def _append(self, row: Row) -> None:
        self.rows.append(row)
        if self.dashboard:
            self.dashboard.log(row)

    def columns(self) -> dict[str, list[float | None]]:
        """Return the rows as columns."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return {name: [row.get(name) for row in self.rows] for name in names}

    def _write(self) -> None:
        if self.folder is None:
            return
        text = io.StringIO()
        table = csv.DictWriter(text, self.columns(), lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        durable.write(self.folder / METRICS, text.getvalue().encode())
