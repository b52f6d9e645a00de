"""Training by back-propagation: a thin LightningModule and `fit` around Lightning's Trainer.

What is trained, on what, is decided in `protocol`.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from multistage import optimizer
from multistage.config import Config
from multistage.errors import MultistageError
from multistage.hardware import device
from multistage.randomness import generator

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

    Logged, once an epoch: ``train_loss`` (mean cross-entropy, nats) and ``train_accuracy`` (fraction, while weights
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


def fit(
    module: nn.Module,
    training: Samples,
    validation: Samples,
    classes: int,
    config: Config,
    folder: Path,
    loggers: list[Logger],
    progress: Progress = "lines",
) -> int:
    """Train `module` in place, for ``trainer.max_epochs`` epochs; validation images, if any, choose the epoch kept.

    Args:
        module: From inputs to scores.
        training: Inputs and labels to learn from.
        validation: Inputs and labels that choose the epoch; may be empty.
        classes: Number of classes.
        config: The run's configuration.
        folder: For checkpoints: ``last.ckpt`` while training runs, tensors and plain values only.
        loggers: For metrics.
        progress: What is shown meanwhile.

    Returns:
        The number of steps taken.

    Raises:
        DivergedError: The loss became infinite or not a number.
        KeyboardInterrupt: As typed.
    """
    batch_size = config["data.batch_size"]
    order = EpochOrder(len(training[1]), batch_size, config["seed"])
    loader = DataLoader(TensorDataset(*training), sampler=order, batch_size=None)
    held_out = DataLoader(TensorDataset(*validation), batch_size=batch_size) if len(validation[1]) else None
    best = ModelCheckpoint(folder, "best", monitor="validation_accuracy", mode="max", enable_version_counter=False)
    callbacks: list[Callback] = [ModelCheckpoint(folder, "last", enable_version_counter=False)]
    callbacks += [best] if held_out else []
    if progress != "none":
        callbacks.append(RichProgressBar() if progress == "bar" else EpochLines())
    module.train()
    trainer = pl.Trainer(
        accelerator="gpu" if device(config["trainer.accelerator"]).type == "cuda" else "cpu",
        devices=1,
        max_epochs=config["trainer.max_epochs"],
        logger=loggers,
        callbacks=callbacks,
        enable_progress_bar=progress == "bar",
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10**9,
        default_root_dir=folder,
    )
    try:
        trainer.fit(Classifier(module, classes, config), loader, held_out)
    except SystemExit as exit:
        if exit.code == 1:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise
    if held_out:
        state = torch.load(best.best_model_path, weights_only=True, map_location="cpu")["state_dict"]
        prefix = "module."
        module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    module.cpu().eval()
    for checkpoint in ("last.ckpt", "best.ckpt"):
        (folder / checkpoint).unlink(missing_ok=True)
    return trainer.global_step
