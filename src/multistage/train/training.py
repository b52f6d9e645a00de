"""Training by back-propagation: a thin LightningModule and `fit` around Lightning's Trainer.

What is trained, on what, is decided in `protocol`.
"""

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback, RichProgressBar
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy

from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.settings import optimizer
from multistage.settings.tree import Config
from multistage.train.batches import Batches, Calls, EpochOrder, Samples, resident
from multistage.train.checkpoint import EveryEpoch, SealedFiles
from multistage.train.hardware import device
from multistage.train.history import History

Progress = Literal["bar", "lines", "none"]
"""What is shown while training runs: a bar for a person who watches, a line an epoch, or nothing."""


class DivergedError(MultistageError):
    """The loss is no longer a finite number."""


class Seen:
    """Losses and predictions of an epoch's batches, left on the device until its end, since reading waits for it."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.batches: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Keep a batch's mean loss and what its scores [n, classes] predict."""
        self.batches.append((loss.detach(), scores.detach().argmax(1), labels))

    def take(self) -> dict[str, float]:
        """Mean ``loss``, ``accuracy`` and ``mean_class_accuracy`` of all samples, then forgotten; {} if none came."""
        if not self.batches:
            return {}
        losses, predicted, labels = zip(*self.batches, strict=True)
        self.batches = []
        sizes = torch.tensor([len(batch) for batch in labels], dtype=torch.float64)
        loss = float(torch.stack(losses).cpu().double() @ sizes / sizes.sum())
        pair = torch.cat(predicted).cpu(), torch.cat(labels).cpu()
        micro, macro = (float(multiclass_accuracy(*pair, self.classes, average=kind)) for kind in ("micro", "macro"))
        return {"loss": loss, "accuracy": micro, "mean_class_accuracy": macro}


class Classifier(pl.LightningModule):
    """Cross-entropy training of any module that gives scores.

    Args:
        module: From inputs to scores [n, classes].
        classes: Number of classes.
        config: The run's configuration, for the sections ``optimizer`` and ``schedule``.
        steps: Of the whole training.
    """

    def __init__(self, module: nn.Module, classes: int, config: Config, steps: int) -> None:
        super().__init__()
        self.module = module
        self.config, self.steps = config, steps
        # The step is done by hand: what Lightning wraps around an automatic one, and around `manual_backward`,
        # takes half a millisecond more.
        self.automatic_optimization = False
        self.in_training, self.in_validation = Seen(classes), Seen(classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.module(x)
        return scores

    def training_step(self, batches: Iterable[Samples], index: int) -> None:
        for x, y in batches:
            self.learn(x.to(self.device), y.to(self.device))

    def learn(self, x: Tensor, y: Tensor) -> None:
        """One step of the optimiser, on one batch."""
        made: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        made.zero_grad()
        scores = self(x)
        loss = F.cross_entropy(scores, y)
        torch.autograd.backward(loss)
        made.step()
        if schedule is not None:
            schedule.step()
        self.in_training.add(loss, scores, y)

    def validation_step(self, batch: Samples, index: int) -> None:
        x, y = (part.to(self.device) for part in batch)
        scores = self(x)
        self.in_validation.add(F.cross_entropy(scores, y), scores, y)

    def take_metrics(self) -> dict[str, float]:
        """Of the epoch that ends: ``train_loss`` (mean cross-entropy, nats) and ``train_accuracy`` (fraction, while
        weights change); with validation images ``validation_loss``, ``validation_accuracy`` and
        ``validation_mean_class_accuracy``.

        Raises:
            DivergedError: A loss was infinite or not a number, in any step of the epoch.
        """
        metrics = {f"train_{name}": value for name, value in self.in_training.take().items()}
        del metrics["train_mean_class_accuracy"]
        metrics |= {f"validation_{name}": value for name, value in self.in_validation.take().items()}
        if not all(map(math.isfinite, metrics.values())):  # one loss that is not makes their mean so
            raise DivergedError(
                f"training diverged in epoch {self.current_epoch + 1} (loss {metrics['train_loss']}); "
                f"try a smaller optimizer.lr than {self.config['optimizer.lr']:g}"
            )
        return dict(sorted(metrics.items()))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # each is moved when its turn comes; Lightning would look through all of them

    def configure_optimizers(self) -> Any:
        made, schedule = optimizer.make(self.config, self.parameters(), self.steps)
        return made if schedule is None else ([made], [schedule])


class EpochLines(Callback):
    """One line an epoch, for terminals that nobody watches."""

    def __init__(self, history: History) -> None:
        self.history = history

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        (_, epoch), *row = self.history.rows[-1].items()
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in row)
        print(f"epoch {epoch}/{trainer.max_epochs}  {metrics}  {time.perf_counter() - self.started:.1f} s", flush=True)


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
        assert isinstance(module, Classifier)
        metrics = module.take_metrics()
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
    target = device(config["trainer.accelerator"])
    training, validation = resident(training, target), resident(validation, target)
    order = EpochOrder(len(training[1]), batch_size, config["seed"], training[1].device)
    held_out = None
    if len(validation[1]):
        in_order = torch.arange(len(validation[1]), device=validation[1].device)
        held_out = Batches(validation, torch.split(in_order, batch_size))
    memory = Memory(history, module, order, choose=held_out is not None)
    callbacks: list[Callback] = [memory]
    if resumable is not None:
        callbacks.append(EveryEpoch(resumable.folder, resumable.origin))
    if progress != "none":
        callbacks.append(RichProgressBar() if progress == "bar" else EpochLines(history))
    module.train()
    trainer = pl.Trainer(
        accelerator="gpu" if target.type == "cuda" else "cpu",
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
        learner = Classifier(module, classes, config, steps=len(order) * config["trainer.max_epochs"])
        trainer.fit(learner, Calls(training, order), held_out, ckpt_path=checkpoint, weights_only=True)
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
