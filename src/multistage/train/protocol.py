"""The protocol of one run: training, validation and test.

    refine=true    fine-tuning: backpropagation through all layers                    (R+, U+ of the paper)
    refine=false   frozen filters; a classifier is trained on features computed once  (R, U, G)

Test images are used once, at the end.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from safetensors.torch import save
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_confusion_matrix

from multistage.dashboards import Shown, Summary, open_dashboard
from multistage.data import drawn
from multistage.data.dataset import Dataset, Picked
from multistage.data.overview import overview
from multistage.data.splits import Split
from multistage.filters.orientation import are_oriented
from multistage.network.net import MultiStageNet
from multistage.readout import Keep, Task, keep_nothing
from multistage.records import beginnings, provenance, runs, schema
from multistage.records.paper import matching, published, row
from multistage.registry.errors import enough_memory
from multistage.settings import trainer, validation
from multistage.settings.naming import Run, name
from multistage.settings.tree import Config, parse
from multistage.storage import cache, durable
from multistage.train import corruptions, features, filters, hardware, mistakes
from multistage.train.batches import Inputs, Samples, in_memory
from multistage.train.checkpoint import Resumable, begin, stretches
from multistage.train.evaluation import (
    Predictions,
    accuracy,
    as_tested,
    confusion_table,
    predict,
    prediction_table,
    scores,
)
from multistage.train.history import History, divergence
from multistage.train.restore import check_restorable, make_network
from multistage.train.training import Progress, TrainingTask, fit

log = logging.getLogger(__name__)

SMALLER = "choose a smaller data.batch_size, data.image_size or geometry, or fewer images (data.train_per_class)"

IF_ANY = ("filters", "readout", "corruptions", "diverged", "skipped")
"""Fields that a record has only if there is something in them."""


def run(run: Run, progress: Progress = "lines") -> runs.Record:
    """Do one run and write its record; a finished run is not repeated, an interrupted one is resumed.

    Args:
        run: A checked run. Nothing is written to its folder before data and network are checked.
        progress: Display during training.

    Raises:
        ConfigError: A size that does not fit, an impossible limit of the cache, or another run in its folder.
        DataError: Missing, changed or unreadable data.
        BusyError: Another process does this run.
        MultistageError: Training diverged or did not converge.
    """
    code = provenance.started()
    history = History(run.folder)
    hardware.check(run.config)
    cache.limit()
    with enough_memory(SMALLER), history.phase("data"):
        dataset, split = drawn(run.settings.data, run.settings.draw)
    validation.check(run.config, len(split.validation))
    identity = runs.identity(split.digest, dataset.content_hash)
    if finished := _finished(run, identity, progress):  # works in a read-only folder too
        return finished
    if run.settings.robustness.corrupted:
        corruptions.check(run.settings, dataset, split.test)
    with runs.claimed(run.folder):
        if finished := _finished(run, identity, progress):  # by another process in the meantime
            return finished
        checkpoint = begin(run.folder, run.config, identity)
        done = stretches(checkpoint, {**code, **hardware.describe()})
        origin = {"config": dict(run.config), **identity, provenance.STRETCHES: done}
        resumable = Resumable(run.folder, origin, checkpoint)
        try:
            with enough_memory(SMALLER):
                return _perform(run, dataset, split, history, progress, resumable)
        except OSError:  # a full disk, a closed terminal: not the run's fault; it resumes once that is fixed
            raise
        except Exception as error:
            with suppress(OSError):
                runs.fail(run.folder, run.config, identity, error)
            raise
        finally:
            beginnings.end()


def _finished(run: Run, identity: runs.Record, progress: Progress) -> runs.Record | None:
    """Return the record of this run if it is finished and not to be overwritten."""
    finished = runs.finished(run.folder, run.config, identity)
    if finished:
        if progress != "none":
            since = "; the code has changed since" if provenance.is_by_other_code(finished) else ""
            log.warning("%s is finished already%s; overwrite=true trains again", run.folder, since)
        with suppress(OSError):
            runs.forget_checkpoints(run.folder)
    return finished


def _perform(
    run: Run,
    dataset: Dataset,
    split: Split,
    history: History,
    progress: Progress,
    resumable: Resumable,
) -> runs.Record:
    """Train, test, and write the results to the run's folder."""
    config, folder = run.config, run.folder
    names = dataset.class_names
    shown = Shown(config, folder, name(config, folder), row(config))
    with open_dashboard(run.settings.logger, shown) as dashboard:
        history.dashboard = dashboard
        trained = train(config, dataset, split, history, progress, resumable)
        net, metrics = trained.net, trained.metrics
        with history.phase("test"):
            labels = dataset.labels[split.test]
            device = hardware.device(config["trainer.accelerator"])
            said = scores(trained.learner, trained.inputs(split.test), config["data.batch_size"], device)
            predicted = said.argmax(1)
        metrics |= {
            "test_accuracy": accuracy(predicted, labels, len(names)),
            "test_mean_class_accuracy": accuracy(predicted, labels, len(names), average="macro"),
        }
        corrupted = {}
        if run.settings.robustness.corrupted:
            with history.phase("corruptions"):
                corrupted = corruptions.accuracies(run.settings, net, dataset, split.test, device)
        confusion = multiclass_confusion_matrix(predicted, labels, len(names))
        digest = {schema.SETTINGS: schema.settings_digest(config)}
        weights = save(net.state_dict(), digest)
        durable.write(folder / runs.WEIGHTS, weights)
        durable.write(folder / runs.FILTERS, save({"before": trained.kernels, "after": net.filter_banks[0].kernels}))
        durable.write(folder / runs.CONFUSION, confusion_table(confusion, names).encode())
        tested = [dataset.names[index] for index in split.test.tolist()]
        table = prediction_table(tested, labels, Predictions(names, said, run.settings.readout.logistic))
        durable.write(folder / runs.PREDICTIONS, table.encode())
        wrong = mistakes.most_confident(said, labels)
        captions = [(names[predicted[n]], f"is {names[labels[n]]}") for n in wrong.tolist()]
        durable.write(folder / runs.MISTAKES, mistakes.picture(dataset.pixels(split.test[wrong]), captions))
        per_class = [
            {"name": names[c], "correct": int(row[c]), "total": int(row.sum())} for c, row in enumerate(confusion)
        ]
        diverged = None
        if run.settings.readout.by_gradient:
            diverged = divergence([row["train_loss"] for row in history.rows], len(names))
        precision = trainer.value_of(config, "precision")
        record = {
            "run": name(config, folder),
            "config": dict(config),
            "overrides": list(run.overrides),
            "metrics": metrics,
            "filters": trained.filters,
            "readout": trained.chosen,
            "per_class": per_class,
            "corruptions": corrupted,
            "history": history.columns(),
            "diverged": diverged,
            "parameters": sum(p.numel() for p in net.parameters()),
            "seconds": history.seconds,
            "device": str(device),
            "precision": "float32" if precision == "32-true" else precision,  # of training; tests use float32
            "weights_sha256": durable.digest(weights),
            **digest,
            "skipped": list(dataset.skipped),
            "images": overview(dataset, split, config.get("data.colour")),
            **runs.identity(split.digest, dataset.content_hash),
            **provenance.resumed(resumable.origin[provenance.STRETCHES]),
            **hardware.describe(),
        }
        record = {name: value for name, value in record.items() if value or name not in IF_ANY}
        dashboard.summarise(_summary(record, trained, confusion))
    return runs.finish(folder, record)


def _summary(record: runs.Record, trained: "Trained", confusion: Tensor) -> Summary:
    """Return what dashboards show at the end of a run."""
    entry = matching(published(), record["config"])
    return Summary(
        metrics=record["metrics"],
        per_class=record["per_class"],
        confusion=confusion.numpy(),
        kernels_before=trained.kernels.numpy(),
        kernels_after=trained.net.filter_banks[0].kernels.detach().numpy(),
        parameters=record["parameters"],
        seconds=sum(record["seconds"].values()),
        paper=None if entry is None else float(entry["value"]),
    )


class Trained(NamedTuple):
    """The result of training.

    Attributes:
        net: The network, on the CPU in eval mode.
        learner: The module to test: the network, or its classifier alone.
        inputs: From indices of the run's images to inputs of `learner`.
        metrics: Accuracies on training and (if any) validation images.
        filters: Measurements of each stage's initial filters; empty for random ones.
        kernels: Kernels of the first stage before training, [maps, fan_in, k, k].
        chosen: Values that a readout chose on validation images, by name.
    """

    net: MultiStageNet
    learner: nn.Module
    inputs: Callable[[Tensor], Inputs]
    metrics: dict[str, float]
    filters: list[dict[str, float]]
    kernels: Tensor
    chosen: dict[str, float]


def train(
    config: Config,
    dataset: Dataset,
    split: Split,
    history: History,
    progress: Progress = "lines",
    resumable: Resumable | None = None,
) -> Trained:
    """Build the network of a configuration and train it on the training images of its draw."""
    settings = parse(config)
    classes = len(dataset.class_names)
    device = hardware.device(config["trainer.accelerator"])
    net = make_network(settings, classes)
    measured = []
    if not settings.refine:
        features.refuse_other_statistics(net.stages, dataset.pixels(split.train[:2]))
    if settings.filters.looks:
        with history.phase("filters"):
            lines = filters.progress_lines(settings.filters) if progress != "none" else filters.tell_nobody
            measured = filters.initialise(settings, net, dataset, split.train, device, lines)
    kernels = net.filter_banks[0].kernels.detach().clone()
    if measured and kernels.shape[1] == 1:
        measured[0]["oriented"] = int(are_oriented(kernels[:, 0]).sum())
    learner: nn.Module = net
    inputs: Callable[[Tensor], Inputs] = dataset.inputs
    keep: Keep = keep_nothing
    chosen: dict[str, float] = {}
    if not settings.refine:
        with history.phase("features"):
            frozen = features.frozen(settings, net, dataset, split, device)
        learner, inputs, keep = net.classifier, frozen.of, frozen.keep(split.train)
    training: Samples = inputs(split.train), dataset.labels[split.train]
    validation: Samples = inputs(split.validation), dataset.labels[split.validation]
    with history.phase("train"):
        seconds = None
        if settings.readout.by_gradient:
            seconds = fit(TrainingTask(learner, training, validation, classes, config, resumable), history, progress)
        else:
            held_out = in_memory(validation) if len(validation[1]) else None

            def report(step: int, loss: float) -> None:
                history.add({"train_loss": loss}, step, unit=settings.readout.unit)

            task = Task(
                *in_memory(training),
                classes=classes,
                shape=settings.output,
                seed=settings.seed,
                held_out=held_out,
                report=report,
                note=chosen.__setitem__,
                keep=keep,
            )
            learner = settings.readout.fit(task)
            check_restorable(settings.readout, net.classifier, learner, settings.output)
            net.classifier = learner
        if settings.views.several:
            learner, inputs = as_tested(net, settings), dataset.inputs
            training, validation = (
                (Picked(dataset, indices), dataset.labels[indices]) for indices in (split.train, split.validation)
            )
        metrics = {}
        for part, (x, y) in {"train": training, "validation": validation}.items():
            if len(y):
                predicted = predict(learner, x, config["data.batch_size"], device)
                metrics[f"{part}_accuracy"] = accuracy(predicted, y, classes)
    if seconds is not None:
        history.seconds["train"] = round(seconds, 3)
    return Trained(net.eval(), learner, inputs, metrics, measured, kernels, chosen)
