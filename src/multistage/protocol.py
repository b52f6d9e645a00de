"""The protocol of one run: what learns, from what, and what is measured.

    refine=true    back-propagation through everything                                (R+, U+ of the paper)
    refine=false   filters stay; a classifier learns on features computed once        (R, U, G)

Test images are looked at once, at the end.
"""

import csv
import io
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from multistage import data, durable, hardware, network, readout, runs
from multistage.config import Config
from multistage.data import Dataset, Split
from multistage.history import History
from multistage.loggers import Summary, log_summary, open_loggers
from multistage.naming import Run, name
from multistage.network import MultiStageNet
from multistage.report.paper import matching, published
from multistage.training import Progress, Resumable, Samples, fit

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


def run(run: Run, progress: Progress = "lines") -> runs.Record:
    """Do one run and write its record; a finished one is not repeated, an interrupted one is gone on with.

    Args:
        run: Checked. Nothing is written into its folder before data and network are known to be good.
        progress: What is shown while Lightning trains.

    Raises:
        ConfigError: A size that does not fit, or another run in its folder.
        DataError: Missing, changed or unreadable data.
        BusyError: Another process does this run.
        MultistageError: Training diverged or did not converge.
    """
    watch = Stopwatch()
    hardware.device(run.config["trainer.accelerator"])
    with watch.phase("data"):
        dataset = load_data(run.config)
        split = data.split(dataset, run.config)
    identity = runs.identity(split.digest, dataset.content_hash)
    with runs.claimed(run.folder):
        if finished := runs.finished(run.folder, run.config, identity):
            if progress != "none":
                log.warning("%s is finished already; overwrite=true trains again", run.folder)
            runs.forget_checkpoints(run.folder)
            return finished
        checkpoint = runs.begin(run.folder, run.config, identity)
        resumable = Resumable(run.folder, {"config": dict(run.config), **identity}, checkpoint)
        try:
            return _perform(run, dataset, split, identity, resumable, progress, watch)
        except Exception as error:
            with suppress(OSError):
                runs.fail(run.folder, run.config, identity, error)
            raise


def load_data(config: Config) -> Dataset:
    """The data set of a configuration, verified; the runs of a sweep share it.

    Raises:
        DataError: One line that names what is missing, changed or unreadable.
    """
    return _load_data(tuple((k, v) for k, v in config.items() if k.partition(".")[0] == "data"))


@lru_cache(maxsize=1)
def _load_data(settings: tuple[tuple[str, object], ...]) -> Dataset:
    return data.load(dict(settings))


def _perform(
    run: Run,
    dataset: Dataset,
    split: Split,
    identity: runs.Record,
    resumable: Resumable,
    progress: Progress,
    watch: Stopwatch,
) -> runs.Record:
    """Train, test, and leave the results in the run's folder."""
    config, folder = run.config, run.folder
    names = dataset.class_names
    with open_loggers(config, folder, name(config, folder)) as dashboards:
        history = History(folder, dashboards)
        net, metrics = train(config, dataset, split, history, progress, watch, resumable)
        with watch.phase("test"):
            labels = dataset.labels[split.test]
            device = hardware.device(config["trainer.accelerator"])
            predicted = predict(net, dataset.pixels(split.test), config["data.batch_size"], device)
        metrics |= {
            "test_accuracy": accuracy(predicted, labels, len(names)),
            "test_mean_class_accuracy": accuracy(predicted, labels, len(names), average="macro"),
        }
        confusion = multiclass_confusion_matrix(predicted, labels, len(names))
        weights = save(net.state_dict())
        durable.write(folder / runs.WEIGHTS, weights)
        durable.write(folder / runs.CONFUSION, confusion_table(confusion, names).encode())
        per_class = [
            {"name": names[c], "correct": int(row[c]), "total": int(row.sum())} for c, row in enumerate(confusion)
        ]
        record = {
            "run": name(config, folder),
            "config": dict(config),
            "overrides": list(run.overrides),
            "metrics": metrics,
            "per_class": per_class,
            "history": history.columns(),
            "parameters": sum(p.numel() for p in net.parameters()),
            "seconds": watch.seconds,
            "device": str(device),
            "precision": "float32",
            "weights_sha256": durable.digest(weights),
            **({"skipped": list(dataset.skipped)} if dataset.skipped else {}),
            **identity,
            **hardware.describe(),
        }
        if dashboards:
            log_summary(dashboards, _summary(record, net, confusion))
    return runs.finish(folder, record)


def _summary(record: runs.Record, net: MultiStageNet, confusion: Tensor) -> Summary:
    """What dashboards show of a run at its end."""
    entry = matching(published(), record["config"])
    before = network.from_config(record["config"], len(record["per_class"])).filter_banks[0].kernels
    return Summary(
        metrics=record["metrics"],
        per_class=record["per_class"],
        confusion=confusion.numpy(),
        kernels_before=before.detach().numpy(),
        kernels_after=net.filter_banks[0].kernels.detach().numpy(),
        paper=None if entry is None else float(entry["value"]),
        parameters=record["parameters"],
        seconds=sum(record["seconds"].values()),
    )


def confusion_table(counts: Tensor, names: Sequence[str]) -> str:
    """Counts [true class, predicted class] as CSV with the names of both."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["true class", *names])
    table.writerows([name, *row] for name, row in zip(names, counts.tolist(), strict=True))
    return text.getvalue()


def train(
    config: Config,
    dataset: Dataset,
    split: Split,
    history: History,
    progress: Progress = "lines",
    watch: Stopwatch | None = None,
    resumable: Resumable | None = None,
) -> tuple[MultiStageNet, dict[str, float]]:
    """Make the network of a configuration and train it on the training images of a draw.

    Returns:
        The network, on the CPU in eval mode, and its accuracies on training and (if any) validation images.
    """
    watch = Stopwatch() if watch is None else watch
    classes, batch_size = len(dataset.class_names), config["data.batch_size"]
    device = hardware.device(config["trainer.accelerator"])
    net = network.from_config(config, classes)
    training: Samples = dataset.pixels(split.train), dataset.labels[split.train]
    validation: Samples = dataset.pixels(split.validation), dataset.labels[split.validation]

    learner: nn.Module = net
    if not config["refine"]:
        with watch.phase("features"):
            calibrate_batch_norm(net, training[0], batch_size, device)
            training = extract(net, training[0], batch_size, device), training[1]
            if len(validation[1]):
                validation = extract(net, validation[0], batch_size, device), validation[1]
        learner = net.classifier
    with watch.phase("train"):
        seconds = None
        if config["readout"] == "softmax":
            seconds = fit(learner, training, validation, classes, config, history, progress, resumable)
        else:
            learner = net.classifier = readout.fit(config, *training, classes, history)
        metrics = {}
        for part, (x, y) in {"train": training, "validation": validation}.items():
            if len(y):
                metrics[f"{part}_accuracy"] = accuracy(predict(learner, x, batch_size, device), y, classes)
    if seconds is not None:
        watch.seconds["train"] = round(seconds, 3)
    return net.eval(), metrics


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
