"""Dashboards beside a run's own files: wandb or TensorBoard if asked, nothing with ``logger=csv``.

    wandb_run            one wandb run, offline unless asked      tensorboard_events   the same for TensorBoard
    pictures             kernels and confusions as pixels         workspace            wandb's page that compares runs

These are views. What a run is and found lies in its folder; a dashboard that is absent, fails or cannot reach its
server costs one warning, and never changes or stops the run. A logger is one file of `kinds`.

May import `network` and the rooms below it, not `data` or `readout` beside it.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from multistage.registry import Choice, Registry
from multistage.registry.errors import one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """What a dashboard shows of a finished run.

    Attributes:
        metrics: The final metrics, fractions; ``test_mean_class_accuracy`` among them.
        per_class: For each class its ``name``, how many test images were ``correct``, and their ``total``.
        confusion: Counts of test images, int [classes, classes]; rows are true classes, columns predicted ones.
        kernels_before: The first stage's kernels before training, float [maps, fan_in, k, k], or None.
        kernels_after: The same after training.
        paper: The paper's figure for this run, in %; None if it has none.
        parameters: How many numbers were or could have been learned.
        seconds: What the run took.
    """

    metrics: Mapping[str, float]
    per_class: Sequence[Mapping[str, Any]]
    confusion: "NDArray[Any]"
    kernels_before: "NDArray[Any] | None" = None
    kernels_after: "NDArray[Any] | None" = None
    paper: float | None = None
    parameters: int | None = None
    seconds: float | None = None

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, in order."""
        return [str(entry["name"]) for entry in self.per_class]

    @property
    def kernels(self) -> "dict[str, NDArray[Any]]":
        """The kernels there are, by the name of their picture."""
        pictures = {"filters_before": self.kernels_before, "filters_after": self.kernels_after}
        return {name: kernels for name, kernels in pictures.items() if kernels is not None}

    @property
    def numbers(self) -> dict[str, float]:
        """Every number there is: metrics, cost, and the paper's value with the difference, both in %."""
        difference = None if self.paper is None else 100 * self.metrics["test_mean_class_accuracy"] - self.paper
        beside = {"parameters": self.parameters, "seconds": self.seconds}
        beside |= {"paper": self.paper, "paper_difference": difference}
        return {**self.metrics, **{name: value for name, value in beside.items() if value is not None}}


class Dashboard(Protocol):
    """Where rows and a summary go; any method may raise."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def summarise(self, summary: Summary) -> None: ...

    def finish(self, exit_code: int) -> None: ...


@dataclass(frozen=True)
class Logger(Choice):
    """Where rows and summaries are shown; its fields are its settings, typed as ``logger.project``."""

    section = "logger"

    def start(self, run: "Shown") -> Dashboard | None:
        """The dashboard of a run; None where its files are all there is."""
        raise NotImplementedError


@dataclass(frozen=True)
class Shown:
    """A run as a dashboard is told of it when it begins.

    Attributes:
        config: The run's configuration; shown as the run's settings.
        folder: The run's folder; what an earlier attempt left there is removed.
        name: What the run is called: its folder below ``<output>/<name>``.
        row: The row of the paper's table that it belongs to, if any.
    """

    config: Mapping[str, Any]
    folder: Path
    name: str
    row: str | None = None


loggers: Registry[Logger] = Registry("logger", "multistage.dashboards.kinds")


class Guarded:
    """A dashboard whose first failure is reported and ends it; the run goes on.

    Args:
        logger: Which one.
        run: What is shown.
    """

    def __init__(self, logger: Logger, run: Shown) -> None:
        self.kind = logger.name
        self.dashboard: Dashboard | None = None
        with self._going_on():
            self.dashboard = logger.start(run)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log one row; `step` is the epoch or the iteration."""
        if self.dashboard is not None:
            with self._going_on():
                self.dashboard.log(step, metrics)

    def summarise(self, summary: Summary) -> None:
        """Log what came out."""
        if self.dashboard is not None:
            with self._going_on():
                self.dashboard.summarise(summary)

    def finish(self, exit_code: int) -> None:
        """End it; 0 for a run that is finished."""
        dashboard, self.dashboard = self.dashboard, None
        if dashboard is not None:
            with self._going_on():
                dashboard.finish(exit_code)

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            advice = f"pip install {self.kind}" if isinstance(error, ImportError) else "logger=csv does without it"
            log.warning(
                "logger=%s failed (%s); the run goes on, its rows are in metrics.csv; %s",
                self.kind,
                one_line(error),
                advice,
            )
            dashboard, self.dashboard = self.dashboard, None
            if dashboard is not None:
                with suppress(Exception):
                    dashboard.finish(1)


@contextmanager
def open_loggers(logger: Logger, run: Shown) -> Iterator[list[Guarded]]:
    """The dashboards of a run, finished with its state however it ends.

    Who resumes a run logs its earlier rows again, so that a dashboard always shows one whole run.
    """
    guarded = Guarded(logger, run)
    exit_code = 1
    try:
        yield [guarded] if guarded.dashboard is not None else []
        exit_code = 0
    finally:
        guarded.finish(exit_code)


def log_metrics(loggers: Sequence[Guarded], step: int, metrics: Mapping[str, float]) -> None:
    """Log one row; `step` is the epoch or the iteration."""
    for logger in loggers:
        logger.log(step, metrics)


def log_summary(loggers: Sequence[Guarded], summary: Summary) -> None:
    """Log what came out of a run, at its end."""
    for logger in loggers:
        logger.summarise(summary)


def nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """A flat configuration as nested plain values, for pages that group and filter by them.

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
