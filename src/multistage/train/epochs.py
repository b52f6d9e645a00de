"""Callbacks at the end of each epoch: a row of metrics, the best weights so far, a checkpoint, a line of progress.

With validation images, the weights of the best epoch are kept, as in early stopping.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, Checkpoint
from pytorch_lightning.loggers.logger import DummyLogger
from torch import Tensor

from multistage.records.runs import CHECKPOINT
from multistage.registry.errors import MultistageError
from multistage.train.checkpoint import ORIGIN, Resumable
from multistage.train.history import History


class DivergedError(MultistageError):
    """The loss is not finite."""


class EpochLines(Callback):
    """One line of progress each epoch, for logs."""

    def __init__(self, history: History) -> None:
        self.history = history

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        (_, epoch), *row = self.history.rows[-1].items()
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in row)
        print(f"epoch {epoch}/{trainer.max_epochs}  {metrics}  {time.perf_counter() - self.started:.1f} s", flush=True)


class LoggedByCallbacks(DummyLogger):
    """Values that the user's callbacks log, such as the learning rate; the last one in an epoch goes into its row."""

    def __init__(self) -> None:
        super().__init__()
        self.latest: dict[str, float] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.latest |= {name: float(value) for name, value in metrics.items() if name != "epoch"}


class EpochEnds(Callback):
    """The state that a run needs to resume: rows of metrics, seconds, and the weights of the best epoch.

    Args:
        history: Receives each epoch's metrics.
        weights: Returns the weights that were validated, by name.
        choose: Whether to keep the weights of the epoch with the highest ``validation_accuracy`` (the earliest of
            equals).
    """

    def __init__(self, history: History, weights: Callable[[], Mapping[str, Tensor]], choose: bool) -> None:
        self.history, self.weights, self.choose = history, weights, choose
        self.logger = LoggedByCallbacks()
        self.best: dict[str, Tensor] = {}
        self.best_accuracy = -1.0
        self.earlier_seconds, self.started = 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Return the seconds of training, including those of earlier processes."""
        return self.earlier_seconds + time.perf_counter() - self.started

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        metrics = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        if not all(map(math.isfinite, metrics.values())):  # one such loss makes their mean so
            raise DivergedError(
                f"training diverged in epoch {trainer.current_epoch + 1} (loss {metrics['train_loss']}); "
                "try a smaller optimizer.lr than {:g}".format(trainer.optimizers[0].defaults["lr"])
            )
        self.history.add({**self.logger.latest, **metrics}, trainer.current_epoch + 1)
        if self.choose and metrics["validation_accuracy"] > self.best_accuracy:
            self.best_accuracy = metrics["validation_accuracy"]
            self.best = {name: value.detach().cpu().clone() for name, value in self.weights().items()}

    def state_dict(self) -> dict[str, Any]:
        return {
            "rows": self.history.rows,
            "best": self.best,
            "best_accuracy": self.best_accuracy,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history.restore(state_dict["rows"])
        self.best, self.best_accuracy = state_dict["best"], state_dict["best_accuracy"]
        self.earlier_seconds = state_dict["seconds"]


class EveryEpoch(Checkpoint):
    """A checkpoint at the end of each epoch, after all other callbacks.

    Args:
        resumable: Folder and origin of the checkpoints.
    """

    def __init__(self, resumable: Resumable) -> None:
        self.resumable, self.stopped = resumable, False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.stopped:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.save_checkpoint(self.resumable.folder / CHECKPOINT)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        checkpoint[ORIGIN] = self.resumable.origin
        checkpoint["stopped"] = trainer.should_stop

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        self.stopped = checkpoint["stopped"]
