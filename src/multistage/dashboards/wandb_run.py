"""One run on Weights & Biases: offline by default, and without prompts at the terminal."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wandb

from multistage.dashboards import Shown, Summary, nested, pictures
from multistage.registry.errors import one_line

if TYPE_CHECKING:
    from multistage.dashboards.kinds.wandb import Wandb

log = logging.getLogger(__name__)

FINISH_SECONDS = 15
"""Seconds that the end of a run waits for uploads; the rest stays in the run's folder for ``wandb sync``."""

BEST = {"loss": "min", "accuracy": "max"}
"""Statistic that the table of runs shows of a learning curve besides its last value, by the last word of its name."""

CONFUSION = ("Actual", "Predicted", "nPredictions")
"""Names of columns that wandb's chart of a confusion matrix expects."""


class WandbRun:
    """One wandb run, complete in ``<folder>/wandb``; leftovers of an earlier attempt are removed.

    wandb's variables for a run's name, id, job type and folder have no effect; those for tags, group and notes do.

    Args:
        logger: Project, and whether the run is uploaded immediately.
        run: The run that is shown.
    """

    def __init__(self, logger: "Wandb", run: Shown) -> None:
        config, folder, name = run.config, run.folder, run.name
        self.folder = folder / "wandb"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)  # otherwise wandb would silently write to the system's temporary folder
        self.logger = logger
        self._defined: set[str] = set()
        group = os.environ.get("WANDB_RUN_GROUP") or config["experiment"] or config["name"]
        try:
            with _staging(self.folder):
                wandb.setup(wandb.Settings(mode=logger.mode, silent=True))  # otherwise WANDB_MODE would take precedence
                self.run = wandb.init(
                    project=logger.project,
                    entity=logger.entity,
                    group=group,
                    job_type=config["model"],
                    name=name[:128],  # for display only; the id identifies the run
                    id=identifier(logger.project, group, name),
                    tags=[*tags(run), *filter(None, os.environ.get("WANDB_TAGS", "").split(","))],
                    config=nested(config),
                    dir=folder,
                    mode="online" if logger.mode == "online" and can_be_online() else "offline",
                    resume=None if config["overwrite"] else "allow",
                    reinit="create_new",
                    settings=wandb.Settings(
                        silent=True, console="off", finish_timeout=FINISH_SECONDS, finish_timeout_raises=True
                    ),
                )
        except Exception:
            _reset(logger)
            raise

    def log(self, row: Mapping[str, float]) -> None:
        """Log one row over its epoch or iteration, except rows of a resumed run that the server already has."""
        unit, *_ = row
        for name in row.keys() - self._defined:
            self._define(name, unit)
        if row[unit] >= self.run.step:
            self.run.log(dict(row), step=int(row[unit]))

    def _define(self, name: str, unit: str) -> None:
        """Tell wandb the x axis of a curve, and which summary to keep."""
        self._defined.add(name)
        if name == unit:
            self.run.define_metric(unit, hidden=True)  # not a curve
        else:
            best = BEST.get(name.rpartition("_")[2])
            self.run.define_metric(name, step_metric=unit, summary=f"{best},last" if best else None)

    def summarise(self, summary: Summary) -> None:
        """Log final figures, then pictures and tables: figures cost least and matter most."""
        self.run.summary.update(summary.numbers)
        rows = [[e["name"], e["correct"], e["total"], e["correct"] / max(e["total"], 1)] for e in summary.per_class]
        shown: dict[str, Any] = {
            name: wandb.Image(pictures.mosaic(kernels), caption="first stage, one scale for all kernels")
            for name, kernels in summary.kernels.items()
        }
        shown["classes/accuracy"] = wandb.Table(columns=["class", "correct", "total", "accuracy"], data=rows)
        shown["classes/confusion"] = _confusion(summary)
        with _staging(self.folder):
            self.run.log(shown)

    def finish(self, exit_code: int) -> None:
        """End the run on wandb (finished if 0, else failed) and wandb's process, for which Python would wait."""
        try:
            self.run.finish(exit_code=exit_code)
            if wandb.setup().most_recent_active_run is None:  # otherwise also another program's
                wandb.teardown()
        except TimeoutError:
            _reset(self.logger)
            raise TimeoutError(
                f"not all was uploaded; 'wandb sync {Path(self.run.dir).parent}' does it later"
            ) from None
        except SystemExit as error:
            raise RuntimeError(f"wandb's process ended with {error.code}") from None
        except Exception:
            _reset(self.logger)
            raise


def identifier(project: str, group: str, name: str) -> str:
    """Return the id of a run on wandb, always the same for the same run."""
    return hashlib.sha256(f"{project}/{group}/{name}".encode()).hexdigest()[:16]


def tags(run: Shown) -> list[str]:
    """Return tags for filtering: data, filters, whether they are fine-tuned, readout, row of the paper's table."""
    config = run.config
    found = [config["data"], config["filters"], "refined" if config["refine"] else "frozen", config["readout"]]
    return [*found, f"row {run.row}"] if run.row else found


@cache
def can_be_online() -> bool:
    """Check for a key that a server accepts; if there is none, say once per process why, and what to do."""
    try:
        reason = None if wandb.login(prompt=False) else "there is no key"
    except Exception as error:
        reason = one_line(error)
    if reason is not None:
        log.warning(
            "logger.mode=online is not possible (%s); wandb writes to run folders instead; "
            "'wandb login' before the next run helps, and 'wandb sync RUN/wandb/offline-run-*' after this one",
            reason,
        )
    return reason is None


def _confusion(summary: Summary) -> Any:
    """Make wandb's own chart, without empty cells off the diagonal: with 102 classes they are too many for it."""
    names = summary.class_names
    data = [
        [names[true], names[predicted], int(count)]
        for true, row in enumerate(summary.confusion)
        for predicted, count in enumerate(row)
        if count or true == predicted
    ]
    return wandb.plot_table(
        "wandb/confusion_matrix/v1",
        wandb.Table(columns=[*CONFUSION], data=data),
        fields={column: column for column in CONFUSION},
        string_fields={"title": "test images"},
    )


@contextmanager
def _staging(folder: Path) -> Iterator[None]:
    """Put tables and logs of wandb's process into the run's folder: an offline run is in one place, and the home
    folder need not be writable."""
    here = str(folder.absolute())
    before = {name: os.environ.get(name) for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR")}
    os.environ.update(WANDB_DATA_DIR=here, WANDB_CACHE_DIR=before["WANDB_CACHE_DIR"] or here)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _reset(logger: "Wandb") -> None:
    """Abandon wandb's process, which after a failure would also reject the next run, and might never end."""
    logger.abandon()
    with suppress(Exception, SystemExit):  # if the process was killed
        wandb.teardown()
