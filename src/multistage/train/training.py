"""Training by backpropagation: a LightningModule, and `fit` around Lightning's Trainer.

`protocol` decides what is trained, and on which samples.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.profilers import AdvancedProfiler, Profiler, SimpleProfiler
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.utilities import dim_zero_cat

from multistage.network.net import MultiStageNet
from multistage.network.randomness import generator, seeded
from multistage.readout import Readout
from multistage.registry.errors import ConfigError, one_line
from multistage.settings import callbacks, optimizer, param_groups, trainer
from multistage.settings.tree import Config, parse, section
from multistage.train.averaging import OURS, Averaging
from multistage.train.batches import Batch, DataModule, Samples
from multistage.train.checkpoint import Resumable, SealedFiles
from multistage.train.epochs import DivergedError, EpochEnds, EpochLines, EveryEpoch
from multistage.train.hardware import device, switches_restored
from multistage.train.history import History
from multistage.train.parallel import Ranks, together

Progress = Literal["bar", "lines", "none"]
"""Display during training: a progress bar, a line for each epoch, or nothing."""


class MeanLoss(Metric):
    """Mean loss of an epoch, in float64; the means of batches stay on the device, because reading them would wait."""

    losses: list[Tensor]
    sizes: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("losses", default=[], dist_reduce_fx="cat")
        self.add_state("sizes", default=[], dist_reduce_fx="cat")

    def update(self, loss: Tensor, size: int) -> None:
        """Store the mean loss of a batch of `size` samples."""
        self.losses.append(loss.detach())
        self.sizes.append(torch.full_like(loss, size, dtype=torch.float64))

    def compute(self) -> Tensor:
        losses, sizes = (dim_zero_cat(values).cpu().double() for values in (self.losses, self.sizes))
        return losses @ sizes / sizes.sum()


class MeanClassAccuracy(MulticlassAccuracy):
    """Accuracy averaged over classes that have samples; torchmetrics averages over those that are predicted, too."""

    def compute(self) -> Tensor:
        correct, missed = torch.as_tensor(self.tp), torch.as_tensor(self.fn)
        there = correct + missed > 0
        return (correct[there] / (correct + missed)[there]).mean()


class Classifier(pl.LightningModule):
    """Training of any module that gives scores, by cross-entropy.

    It logs for each epoch ``train_loss`` (the minimised loss: mean cross-entropy, nats, with the readout's class
    weights and label smoothing) and ``train_accuracy`` (fraction, during the epoch); with validation images also
    ``validation_loss`` (plain cross-entropy), ``validation_accuracy`` and ``validation_mean_class_accuracy``.

    Args:
        module: From inputs to scores [n, classes]: a whole network, or its classifier alone.
        classes: Number of classes.
        config: The run's configuration, for ``seed`` and the sections ``optimizer``, ``param_groups`` and ``schedule``.
        readout: Defines the loss.
        weights: Weight of each class in the training loss, with mean 1 over its samples; None: equal.
    """

    def __init__(
        self, module: nn.Module, classes: int, config: Config, readout: Readout, weights: Tensor | None = None
    ) -> None:
        super().__init__()
        self.weights: Tensor | None
        self.register_buffer("weights", weights, persistent=False)
        self.module, self.config, self.readout = module, config, readout
        accuracy = partial(MulticlassAccuracy, classes, validate_args=False)
        self.train_loss, self.train_accuracy = MeanLoss(), accuracy(average="micro")
        self.validation_loss, self.validation_accuracy = MeanLoss(), accuracy(average="micro")
        self.validation_mean_class_accuracy = MeanClassAccuracy(classes, average="macro", validate_args=False)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.module(x)
        return scores

    def training_step(self, batch: Batch, index: int) -> Tensor:
        x, y, weight = batch
        with seeded(self.config["seed"], f"operations/{self.current_epoch}", index):
            scores = self._thinned(x, index) if self.readout.drops else self(x)
        loss = self.readout.loss(scores, y, self.weights)
        self.train_loss.update(loss, len(y) if weight else 0)  # each device, so that all have something to gather
        if weight:
            self.train_accuracy.update(scores, y.argmax(1) if y.ndim == 2 else y)  # for mixed images, the larger part
        if index == 0:
            self._log_epoch("train_loss", "train_accuracy")
        return loss * weight

    def _thinned(self, x: Tensor, index: int) -> Tensor:
        """Compute scores with dropout of the classifier's features."""
        net = self.module
        features, classifier = (net.features(x), net.classifier) if isinstance(net, MultiStageNet) else (x, net)
        rank, devices = self.global_rank, self.trainer.world_size
        of_batch = generator(self.config["seed"], f"dropout/{self.current_epoch}", index)
        # drawn for the whole batch; then the rows of this device's share (see `Shares`)
        random = torch.rand(1 + rank + (len(x) - 1) * devices, features.shape[1], generator=of_batch)[rank::devices]
        scores: Tensor = classifier(dropped(features, random, self.readout.drops))
        return scores

    def validation_step(self, batch: Batch, index: int) -> None:
        x, y, weight = batch
        scores = self(x)
        self.validation_loss.update(F.cross_entropy(scores, y), len(y) if weight else 0)
        if weight:
            self.validation_accuracy.update(scores, y)
            self.validation_mean_class_accuracy.update(scores, y)
        if index == 0:
            self._log_epoch("validation_loss", "validation_accuracy", "validation_mean_class_accuracy")

    def _log_epoch(self, *names: str) -> None:
        """Log metrics for the epoch's end; only once an epoch, because Lightning traverses all their values."""
        for name in names:
            self.log(name, getattr(self, name), on_step=False, on_epoch=True, prog_bar="mean_class" not in name)

    def configure_optimizers(self) -> Any:
        steps, typed = int(self.trainer.estimated_stepping_batches), self.config.get("schedule.total_steps")
        if typed is not None and typed < steps:
            raise ConfigError(f"schedule.total_steps={typed} is below the {steps} steps of this training; leave it out")
        try:
            made, schedule = optimizer.make(self.config, param_groups.split(self.config, named(self.module)), steps)
        except ValueError as error:  # of several groups, which are known here only
            raise ConfigError(f"torch refuses these settings of optimizer and schedule: {one_line(error)}") from None
        return made if schedule is None else ([made], [{"scheduler": schedule, "interval": "step"}])


def named(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters of a network, or of its classifier alone, by their names in the network."""
    of_classifier = "" if isinstance(module, MultiStageNet) else "classifier."
    return [(of_classifier + name, parameter) for name, parameter in module.named_parameters()]


@contextmanager
def held(config: Config, module: nn.Module) -> Iterator[None]:
    """Switch off gradients in groups with ``lr=0``, which never change, to save time (context manager)."""
    still = param_groups.still(config, named(module))
    for parameter in still:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(True)


def dropped(features: Tensor, random: Tensor, probability: float) -> Tensor:
    """Apply dropout: set some features to 0 and scale the others to keep the mean (Srivastava et al., JMLR 2014).

    Args:
        features: [n, f].
        random: Uniform in [0, 1), [n, f], from the CPU, so that every device drops the same.
        probability: Probability of dropping each feature, below 1.
    """
    return features.masked_fill((random < probability).to(features.device), 0) / (1 - probability)


class TrainingTask(NamedTuple):
    """The training task of each process.

    Attributes:
        module: From inputs to scores.
        training: Training inputs and labels.
        validation: Inputs and labels that choose the epoch; may be empty.
        classes: Number of classes.
        config: The run's configuration.
        resumable: For a checkpoint after each epoch; None: no checkpoints.
    """

    module: nn.Module
    training: Samples
    validation: Samples
    classes: int
    config: Config
    resumable: Resumable | None = None


def fit(task: TrainingTask, history: History, progress: Progress = "lines") -> float:
    """Train a module in place, for ``trainer.max_epochs`` epochs; validation images, if any, choose the epoch kept.

    Args:
        task: The training task.
        history: Receives the metrics of each epoch.
        progress: Display during training.

    Returns:
        Seconds of training, including those before an interruption.

    Raises:
        DivergedError: The loss became infinite or NaN.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    if progress == "bar" and not trainer.value_of(task.config, "enable_progress_bar"):
        progress = "lines"
    with together(trainer.value_of(task.config, "devices"), _follow, task) as ranks:
        return _train(ranks, task, history, progress)


def _follow(ranks: Ranks, task: TrainingTask) -> None:
    """Train in the process of a further device, which shows nothing and writes no more than its profile."""
    with suppress(DivergedError):  # the first process reports it
        _train(ranks, task, History(), "none")


def _train(ranks: Ranks, task: TrainingTask, history: History, progress: Progress) -> float:
    module, config, resumable = task.module, task.config, task.resumable
    chooses = len(task.validation[1]) > 0
    chosen = callbacks.make(config, OURS)
    average = next((callback for callback in chosen if isinstance(callback, Averaging)), None)
    epoch_ends = EpochEnds(history, average.weights if average else module.state_dict, chooses)
    shown: list[Callback] = []
    if progress != "none":
        shown = [RichProgressBar(console_kwargs={"stderr": True}) if progress == "bar" else EpochLines(history)]
    kept = [] if resumable is None else [EveryEpoch(resumable)]
    folder = None if resumable is None else resumable.folder
    own: dict[str, Any] = {
        "accelerator": "gpu" if device(config["trainer.accelerator"]).type == "cuda" else "cpu",
        "strategy": "ddp" if trainer.value_of(config, "devices") > 1 else trainer.value_of(config, "strategy"),
        "profiler": profiler(trainer.value_of(config, "profiler"), folder),
        "callbacks": [epoch_ends, *shown, *chosen, *kept],
        "logger": epoch_ends.logger if callbacks.names(config) else False,
        "plugins": [SealedFiles(), ranks],
        "enable_checkpointing": resumable is not None,
        "enable_progress_bar": progress == "bar",
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
    }
    typed = section(config, "trainer")
    if not chooses:
        typed["limit_val_batches"] = 0
    settings = parse(config)
    images = DataModule(task.training, task.validation, settings.batch_size, settings.seed, settings.augmentation)
    readout = settings.readout
    weights = readout.weights(task.training[1], task.classes)
    checkpoint = None if resumable is None else resumable.checkpoint
    module.train()
    try:
        with switches_restored(), held(config, module):
            lightning = pl.Trainer(**{"devices": 1, **typed, **own})
            learner = Classifier(module, task.classes, config, readout, weights)
            lightning.fit(learner, datamodule=images, ckpt_path=checkpoint, weights_only=True)
    except MisconfigurationException as error:
        raise ConfigError(f"Lightning refuses these settings of trainer: {one_line(error)}") from None
    except SystemExit as exit:
        if exit.code == 1:  # Lightning's form of Ctrl-C
            raise KeyboardInterrupt from None
        raise
    if average:  # Lightning does this too, but not if no step is left
        module.load_state_dict(average.weights())
    if not all(parameter.isfinite().all() for parameter in module.parameters()):
        raise DivergedError("training diverged in its last step; try a smaller optimizer.lr")
    if trainer.value_of(config, "precision") != "32-true":
        module.float()
    if epoch_ends.best:
        module.load_state_dict(epoch_ends.best)
    module.cpu().eval()
    return epoch_ends.seconds


def profiler(kind: str | None, folder: Path | None) -> Profiler | None:
    """Return one of Lightning's profilers; it writes ``fit-profile*.txt``, one for each device, in the run's folder."""
    kinds: dict[str | None, Any] = {"simple": SimpleProfiler, "advanced": AdvancedProfiler}
    return kinds[kind](dirpath=folder, filename="profile") if kind else None
