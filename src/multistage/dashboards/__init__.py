"""Dashboards in addition to a run's own files: wandb or TensorBoard on request, none with ``logger=csv``.

    wandb_run            one wandb run, offline unless asked      tensorboard_events   the same for TensorBoard
    pictures             kernels and confusions as pixels         workspace            wandb's page that compares runs

These are views. A run's settings and results are in its folder. A dashboard that is absent, fails, hangs or cannot
reach its server costs one warning and at most `PATIENCE` seconds, and never changes or stops the run. A logger is one
file of `kinds`.

May import `network` and the rooms below it, not `data` or `readout` beside it.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from multistage.registry import Choice, Registry
from multistage.registry.errors import one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that a dashboard may cost a run in total."""

GRACE = 3.0
"""Seconds of these that an abandoned dashboard gets to end by itself."""


@dataclass(frozen=True)
class Summary:
    """What a dashboard shows of a finished run.

    Attributes:
        metrics: The final metrics, fractions; ``test_mean_class_accuracy`` among them.
        per_class: For each class its ``name``, how many test images were ``correct``, and their ``total``.
        confusion: Counts of test images, int [classes, classes]; rows are true classes, columns predicted ones.
        kernels_before: The first stage's kernels before training, float [maps, fan_in, k, k].
        kernels_after: The same after training.
        parameters: Number of parameters, trained or frozen.
        seconds: Duration of the run.
        paper: The paper's figure for this run, in %; None if it has none.
    """

    metrics: Mapping[str, float]
    per_class: Sequence[Mapping[str, Any]]
    confusion: "NDArray[Any]"
    kernels_before: "NDArray[Any]"
    kernels_after: "NDArray[Any]"
    parameters: int
    seconds: float
    paper: float | None = None

    @property
    def class_names(self) -> list[str]:
        """Return the names of the classes, in order."""
        return [str(entry["name"]) for entry in self.per_class]

    @property
    def kernels(self) -> "dict[str, NDArray[Any]]":
        """Return the kernels by name of their picture."""
        return {"filters/before": self.kernels_before, "filters/after": self.kernels_after}

    @property
    def numbers(self) -> dict[str, float]:
        """Return all numbers: final metrics, cost, and the paper's value with the difference, both in %.

        A final metric is called ``final/...``: a learning curve may have the name without it.
        """
        found = {f"final/{name}": value for name, value in self.metrics.items()}
        found |= {"parameters": self.parameters, "seconds": self.seconds}
        if self.paper is not None:
            found |= {"paper": self.paper}
            found |= {"paper_difference": 100 * self.metrics["test_mean_class_accuracy"] - self.paper}
        return found


class Dashboard(Protocol):
    """A destination of rows and a summary; any method may raise, or never return."""

    def log(self, row: Mapping[str, float]) -> None: ...

    def summarise(self, summary: Summary) -> None: ...

    def finish(self, exit_code: int) -> None: ...


@dataclass(frozen=True)
class Logger(Choice):
    """A kind of dashboard; its fields are its settings, typed as ``logger.project``."""

    section = "logger"

    def start(self, run: "Shown") -> Dashboard | None:
        """Open the dashboard of a run; None if this logger has none."""
        raise NotImplementedError

    def abandon(self) -> None:
        """End what hangs, if possible; called from another thread while a call does not return."""


@dataclass(frozen=True)
class Shown:
    """Description of a run that a dashboard gets at its start.

    Attributes:
        config: The run's configuration; shown as the run's settings.
        folder: The run's folder; leftovers of an earlier attempt are removed.
        name: Name of the run: its folder below ``<output>/<name>``.
        row: The row of the paper's table that it belongs to, if any.
    """

    config: Mapping[str, Any]
    folder: Path
    name: str
    row: str | None = None


loggers: Registry[Logger] = Registry("logger", "multistage.dashboards.kinds")


class Guarded:
    """Guard a dashboard: if it fails or hangs, the run continues after one warning and at most `PATIENCE` seconds.

    A thread makes the calls in order. The run waits for it at the start (at most a third of the time) and at the end;
    rows between are queued. Python does not wait for the thread at exit.

    Args:
        logger: The kind of dashboard.
        run: The run that is shown.
    """

    def __init__(self, logger: Logger, run: Shown) -> None:
        began = time.monotonic()
        self.logger = logger
        self._calls: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._error: BaseException | None = None
        self._left = False
        self._started, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, args=(run,), name=f"logger={logger.name}", daemon=True).start()
        self._started.wait(PATIENCE / 3)
        self._patience = PATIENCE - 2 * GRACE - (time.monotonic() - began)
        self._notice()

    def log(self, row: Mapping[str, float]) -> None:
        """Log one row of metrics; its first entry is the step: ``epoch`` or ``iteration``, from 1."""
        self._ask("log", dict(row))

    def summarise(self, summary: Summary) -> None:
        """Log the results of a run, at its end."""
        self._ask("summarise", summary)

    def finish(self, exit_code: int) -> None:
        """End the dashboard; exit code 0 for a finished run."""
        self._ask("finish", exit_code)
        try:
            if not self._left:
                self._ended.wait(self._patience)
        finally:  # also where Ctrl-C interrupts
            self._notice()
            if not self._ended.is_set():
                self._leave(f"did not answer within {PATIENCE:g} seconds", "logger=csv does without it")

    def _serve(self, run: Shown) -> None:
        dashboard, call = None, "start"
        try:
            dashboard = self.logger.start(run)
            self._started.set()
            while dashboard and call != "finish":
                call, *arguments = self._calls.get()
                getattr(dashboard, call)(*arguments)
        except (Exception, SystemExit) as error:
            self._error = error
            self._started.set()
            if dashboard and call != "finish":
                with suppress(Exception, SystemExit):
                    dashboard.finish(1)
        finally:
            self._ended.set()

    def _ask(self, *call: Any) -> None:
        if not self._ended.is_set():
            self._calls.put(call)
        self._notice()

    def _notice(self) -> None:
        if error := self._error:
            advice = (
                f"pip install {self.logger.name}" if isinstance(error, ImportError) else "logger=csv does without it"
            )
            self._leave(f"failed ({one_line(error)})", advice)

    def _leave(self, reason: str, advice: str) -> None:
        """Warn once, and end what the dashboard leaves running."""
        if self._left:
            return
        self._left = True
        log.warning("logger=%s %s; the run goes on, its rows are in metrics.csv; %s", self.logger.name, reason, advice)
        if self._error:
            self._ended.wait(GRACE)
        if not self._ended.is_set():
            self.logger.abandon()
            self._ended.wait(GRACE)


@contextmanager
def open_dashboard(logger: Logger, run: Shown) -> Iterator[Guarded]:
    """Provide the dashboard of a run, and finish it with the run's state however the run ends.

    A resumed run logs its earlier rows again, so that a dashboard always shows one complete run.
    """
    dashboard = Guarded(logger, run)
    exit_code = 1
    try:
        yield dashboard
        exit_code = 0
    finally:
        dashboard.finish(exit_code)


def nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a flat configuration into nested plain values, for pages that group and filter by them.

    ``optimizer.lr`` becomes ``{"optimizer": {"lr": ...}}``. Where a key has both a value and a section, as `model` has,
    the value keeps the name and the section is called ``model_options``.
    """
    result: dict[str, Any] = {}
    for key, value in config.items():
        *sections, last = key.split(".")
        if sections and sections[0] in config:
            sections[0] += "_options"
        inner = result
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    return result
