"""The protocol of one run: what learns, from what, and what is measured.

    refine=true    back-propagation through everything                                (R+, U+ of the paper)
    refine=false   filters stay; a classifier learns on features computed once        (R, U, G)

Test images are looked at once, at the end.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from pytorch_lightning.loggers import Logger
from safetensors.torch import save_file
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy

from multistage import data, hardware, network, readout, runs
from multistage.config import Config
from multistage.data import Dataset, Split
from multistage.loggers import check_logger, log_metrics, open_loggers
from multistage.network import MultiStageNet
from multistage.training import Progress, Samples, fit

log = logging.getLogger(__name__)


class Stopwatch:
    """Seconds per phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)


def run(config: Config, folder: Path, progress: Progress = "lines") -> runs.Record:
    """Do one run and write its record; if the same run is already finished, return its record.

    Args:
        config: Checked.
        folder: The run's folder; nothing is written into it before data and network are known to be good.
        progress: What is shown while Lightning trains.

    Raises:
        ConfigError: A size that does not fit, or a finished run in `folder` that is not this one.
        DataError: Missing, changed or unreadable data.
        MultistageError: Training diverged or did not converge.
    """
    watch = Stopwatch()
    device = hardware.device(config["trainer.accelerator"])
    check_logger(config)
    with watch.phase("data"):
        dataset = data.load(config)
        split = data.split(dataset, config)
    identity = runs.identity(split.digest, dataset.content_hash)
    if finished := runs.finished(folder, config, identity):
        log.warning("%s is finished already; overwrite=true trains again", folder)
        return finished
    runs.start(folder, config)
    name = runs.name(config, folder)
    with open_loggers(config, folder, name) as loggers:
        net, metrics, steps = train(config, dataset, split, folder, loggers, progress, watch)
        with watch.phase("test"):
            test = dataset.pixels(split.test), dataset.labels[split.test]
            predicted = predict(net, test[0], config["data.batch_size"], device)
        classes = len(dataset.class_names)
        metrics |= {
            "test_accuracy": accuracy(predicted, test[1], classes),
            "test_mean_class_accuracy": accuracy(predicted, test[1], classes, average="macro"),
        }
        log_metrics(loggers, steps, metrics)
    save_file(net.state_dict(), folder / runs.WEIGHTS)
    per_class = [
        {"name": name, "correct": int((predicted[test[1] == c] == c).sum()), "total": int((test[1] == c).sum())}
        for c, name in enumerate(dataset.class_names)
    ]
    return runs.finish(
        folder,
        {
            "run": name,
            "config": dict(config),
            "metrics": metrics,
            "per_class": per_class,
            "parameters": sum(p.numel() for p in net.parameters()),
            "seconds": watch.seconds,
            "device": str(device),
            "precision": "float32",
            **identity,
            **hardware.describe(),
        },
    )


def train(
    config: Config,
    dataset: Dataset,
    split: Split,
    folder: Path,
    loggers: list[Logger],
    progress: Progress = "lines",
    watch: Stopwatch | None = None,
) -> tuple[MultiStageNet, dict[str, float], int]:
    """Make the network of a configuration and train it on the training images of a draw.

    Returns:
        The network, on the CPU in eval mode, its accuracies on training and (if any) validation images, and the number
        of steps (epochs, iterations) that were logged.
    """
    watch = Stopwatch() if watch is None else watch
    classes, batch_size = len(dataset.class_names), config["data.batch_size"]
    device = hardware.device(config["trainer.accelerator"])
    net = network.from_config(config, classes)
    training: Samples = dataset.pixels(split.train), dataset.labels[split.train]
    validation: Samples = dataset.pixels(split.validation), dataset.labels[split.validation]

    steps = 0

    def report(step: int, loss: float) -> None:
        nonlocal steps
        steps = step + 1
        log_metrics(loggers, step, {"train_loss": loss})

    learner: nn.Module = net
    if not config["refine"]:
        with watch.phase("features"):
            calibrate_batch_norm(net, training[0], batch_size, device)
            training = extract(net, training[0], batch_size, device), training[1]
            if len(validation[1]):
                validation = extract(net, validation[0], batch_size, device), validation[1]
        learner = net.classifier
    with watch.phase("train"):
        if config["readout"] == "softmax":
            steps = fit(learner, training, validation, classes, config, folder, loggers, progress)
        else:
            learner = net.classifier = readout.fit(config, *training, classes, report)
        metrics = {}
        for name, (x, y) in {"train": training, "validation": validation}.items():
            if len(y):
                metrics[f"{name}_accuracy"] = accuracy(predict(learner, x, batch_size, device), y, classes)
    return net.eval(), metrics, steps


def accuracy(predicted: Tensor, labels: Tensor, classes: int, average: str = "micro") -> float:
    """Fraction of right predictions (micro), or its mean over classes (macro), the paper's figure."""
    return float(multiclass_accuracy(predicted, labels, classes, average=average))  # type: ignore[arg-type]


def predict(module: nn.Module, x: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """The class with the highest score for each input, int64 [n]."""
    return _in_batches(module, module, x, batch_size, device).argmax(1)


def extract(net: MultiStageNet, x: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """Features of images, float32 [n, num_features] on the CPU."""
    return _in_batches(net, net.features, x, batch_size, device)


@torch.no_grad()
def _in_batches(
    module: nn.Module, function: Callable[[Tensor], Tensor], x: Tensor, batch_size: int, device: torch.device
) -> Tensor:
    module.to(device).eval()
    results = [function(batch.to(device)).cpu() for batch in torch.split(x, batch_size)]
    module.cpu()
    return torch.cat(results)


@torch.no_grad()
def calibrate_batch_norm(net: MultiStageNet, x: Tensor, batch_size: int, device: torch.device) -> None:
    """Give frozen batch normalisations the exact mean and variance of their inputs over the training images.

    One pass for each, in order, since what the second sees depends on the statistics of the first. Exact means that the
    result does not depend on how images fall into batches.
    """
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
        moments = torch.zeros(3, norm.num_features, dtype=torch.float64)  # for each map: count, sum, sum of squares

        def add(module: nn.Module, inputs: tuple[Tensor], moments: Tensor = moments) -> None:
            values = inputs[0].double()
            sums, squares = values.sum((0, 2, 3)), values.square().sum((0, 2, 3))
            moments += torch.stack([torch.full_like(sums, values[:, 0].numel()), sums, squares]).cpu()

        hook = norm.register_forward_pre_hook(add)
        extract(net, x, batch_size, device)
        hook.remove()
        mean, square = moments[1:] / moments[0]
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_((square - mean.square()).clamp_min(0))
