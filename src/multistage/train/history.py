"""What a run was seen to do: one row an epoch, in ``metrics.csv`` and on the dashboards, and seconds of each phase."""

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
"""A training has diverged if its last loss is more than `FAR` times one that it could begin with, or more than
`CLEARLY` times one that it must not end above."""


def divergence(losses: Sequence[float], classes: int) -> str | None:
    """How a training that ended has diverged, though its loss is a number; None: it has not.

    The loss of the first epoch alone may be above ln(classes): networks begin there, and learn.

    Args:
        losses: Mean cross-entropy of the training images in each epoch, nats.
        classes: Their number; a network that knows nothing has a loss of ln(classes).
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
    """Rows of metrics, each shown at once.

    Args:
        folder: Of the run; None: nothing is written.

    Attributes:
        dashboard: Of `multistage.dashboards`, none at first.
        rows: In the order in which they came; the first column counts epochs (or iterations).
        seconds: Of each phase of the run, by name.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.dashboard: Guarded | None = None
        self.rows: list[Row] = []
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure how long a phase takes."""
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)

    def add(self, metrics: Mapping[str, float], step: int, unit: str = "epoch") -> None:
        """Append a row.

        Args:
            metrics: By name.
            step: Which epoch (or iteration), from 1.
            unit: What a step is: the name of the first column.
        """
        self._append({unit: step, **metrics})
        self._write()

    def restore(self, rows: Sequence[Row]) -> None:
        """Go on behind the rows of a run that was interrupted."""
        self.rows = []
        for row in rows:
            self._append(dict(row))
        self._write()

    def _append(self, row: Row) -> None:
        self.rows.append(row)
        if self.dashboard:
            self.dashboard.log(row)

    def columns(self) -> dict[str, list[float | None]]:
        """The same by column."""
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
