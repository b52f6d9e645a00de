"""Training by back-propagation: a thin LightningModule and `fit` around Lightning's Trainer.

What is trained, on what, is decided in `protocol`.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback, RichProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from multistage import optimizer
from multistage.checkpoint import EveryEpoch, SealedFiles
from multistage.config import Config
from multistage.errors import MultistageError
from multistage.hardware import device
from multistage.history import History
from multistage.randomness import generator
from multistage.runs import Record

Samples = tuple[Tensor, Tensor]
"""Inputs [n, ...] and labels [n]."""

Progress = Literal["bar", "lines", "none"]
"""What is shown while training runs: a bar for a person who watches, a line an epoch, or nothing."""


class DivergedError(MultistageError):
    """The loss is no longer a finite number."""


class Classifier(pl.LightningModule):
    """Cross-entropy training of any module that gives scores.

    Args:
        module: From inputs to scores [n, classes].
        classes: Number of classes.
        config: The run's configuration, for the sections ``optimizer`` and ``schedule``.

    Measured, once an epoch: ``train_loss`` (mean cross-entropy, nats) and ``train_accuracy`` (fraction, while weights
    change); with validation images ``validation_loss``, ``validation_accuracy`` and ``validation_mean_class_accuracy``.
    """

    def __init__(self, module: nn.Module, classes: int, config: Config) -> None:
        super().__init__()
        self.module = module
        self.config = config
        self.train_accuracy = MulticlassAccuracy(classes, average="micro")
        self.validation_accuracy = MulticlassAccuracy(classes, average="micro")
        self.validation_mean_class_accuracy = MulticlassAccuracy(classes, average="macro")

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.module(x)
        return scores

    def training_step(self, batch: Samples, index: int) -> Tensor:
        x, y = batch
        scores = self(x)
        loss = F.cross_entropy(scores, y)
        if not torch.isfinite(loss):
            raise DivergedError(
                f"training diverged in epoch {self.current_epoch + 1} (loss {loss.item()}); "
                f"try a smaller optimizer.lr than {self.config['optimizer.lr']:g}"
            )
        self.train_accuracy(scores, y)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(y))
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Samples, index: int) -> None:
        x, y = batch
        scores = self(x)
        self.log("validation_loss", F.cross_entropy(scores, y), batch_size=len(y))
        for name in ("validation_accuracy", "validation_mean_class_accuracy"):
            metric = getattr(self, name)
            metric(scores, y)
            self.log(name, metric)

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        made, schedule = optimizer.make(self.config, self.parameters(), steps)
        return made if schedule is None else ([made], [{"scheduler": schedule, "interval": "step"}])


class EpochOrder(Sampler[Tensor]):
    """Batches of indices in an order that is a function of (seed, epoch); Lightning calls `set_epoch`."""

    def __init__(self, samples: int, batch_size: int, seed: int) -> None:
        self.samples, self.batch_size, self.seed, self.epoch = samples, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(self.samples, generator=generator(self.seed, "order", self.epoch))
        return iter(torch.split(order, self.batch_size))

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)


class EpochLines(Callback):
    """One line an epoch, for terminals that nobody watches."""

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in sorted(trainer.callback_metrics.items()))
        seconds = time.perf_counter() - self.started
        print(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {metrics}  {seconds:.1f} s", flush=True)


class Memory(Callback):
    """What a run needs to know of its past when it goes on: rows of metrics, seconds, and the best epoch's weights.

    Args:
        history: Takes each epoch's metrics.
        learner: What is trained.
        order: Learns in which epoch it goes on; Lightning takes the first batch of a resumed run before it says so.
        choose: Keep the weights of the epoch with the highest ``validation_accuracy`` (the earliest of equals).
    """

    def __init__(self, history: History, learner: nn.Module, order: EpochOrder, choose: bool) -> None:
        self.history, self.learner, self.order, self.choose = history, learner, order, choose
        self.best: dict[str, Tensor] = {}
        self.best_accuracy = -1.0
        self.earlier_seconds, self.started = 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Of training, those of earlier processes included."""
        return self.earlier_seconds + time.perf_counter() - self.started

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        metrics = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        if not all(map(math.isfinite, metrics.values())):
            raise DivergedError(f"training diverged in epoch {trainer.current_epoch + 1}; try a smaller optimizer.lr")
        self.history.add(metrics, trainer.current_epoch + 1)
        if self.choose and metrics["validation_accuracy"] > self.best_accuracy:
            self.best_accuracy = metrics["validation_accuracy"]
            self.best = {name: value.detach().cpu().clone() for name, value in self.learner.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {
            "rows": self.history.rows,
            "best": self.best,
            "best_accuracy": self.best_accuracy,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history.restore(state_dict["rows"])
        self.order.set_epoch(len(state_dict["rows"]))
        self.best, self.best_accuracy = state_dict["best"], state_dict["best_accuracy"]
        self.earlier_seconds = state_dict["seconds"]


class Resumable(NamedTuple):
    """Where training leaves its checkpoints.

    Attributes:
        folder: Of the run.
        origin: The run's configuration (``config``) and identity, stored in each checkpoint.
        checkpoint: Go on from here; None: from the beginning.
    """

    folder: Path
    origin: Record
    checkpoint: Path | None = None


def fit(
    module: nn.Module,
    training: Samples,
    validation: Samples,
    classes: int,
    config: Config,
    history: History,
    progress: Progress = "lines",
    resumable: Resumable | None = None,
) -> float:
    """Train `module` in place, for ``trainer.max_epochs`` epochs; validation images, if any, choose the epoch kept.

    Args:
        module: From inputs to scores.
        training: Inputs and labels to learn from.
        validation: Inputs and labels that choose the epoch; may be empty.
        classes: Number of classes.
        config: The run's configuration.
        history: Takes the metrics of each epoch.
        progress: What is shown meanwhile.
        resumable: For a checkpoint after each epoch; None: none is written.

    Returns:
        Seconds of training, those before an interruption included.

    Raises:
        DivergedError: The loss became infinite or not a number.
        KeyboardInterrupt: As typed.
    """
    batch_size = config["data.batch_size"]
    order = EpochOrder(len(training[1]), batch_size, config["seed"])
    loader = DataLoader(TensorDataset(*training), sampler=order, batch_size=None)
    held_out = DataLoader(TensorDataset(*validation), batch_size=batch_size) if len(validation[1]) else None
    memory = Memory(history, module, order, choose=held_out is not None)
    callbacks: list[Callback] = [memory]
    if resumable is not None:
        callbacks.append(EveryEpoch(resumable.folder, resumable.origin))
    if progress != "none":
        callbacks.append(RichProgressBar() if progress == "bar" else EpochLines())
    module.train()
    trainer = pl.Trainer(
        accelerator="gpu" if device(config["trainer.accelerator"]).type == "cuda" else "cpu",
        devices=1,
        max_epochs=config["trainer.max_epochs"],
        logger=False,
        callbacks=callbacks,
        plugins=[SealedFiles(), LightningEnvironment()],  # one process, whatever a cluster says
        enable_checkpointing=resumable is not None,
        enable_progress_bar=progress == "bar",
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    checkpoint = None if resumable is None else resumable.checkpoint
    try:
        trainer.fit(Classifier(module, classes, config), loader, held_out, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as exit:
        if exit.code == 1:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise
    if not all(parameter.isfinite().all() for parameter in module.parameters()):
        raise DivergedError("training diverged in its last step; try a smaller optimizer.lr")
    if memory.best:
        module.load_state_dict(memory.best)
    module.cpu().eval()
    return memory.seconds
