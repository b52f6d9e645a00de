"""Training as users see it: an epoch of the Caltech-101 network, and runs on frozen filters."""

import tempfile
import time
from pathlib import Path

from torch import nn

from audit.speed.baselines import plain_network, plain_training
from audit.speed.measurement import Measurement, Settings, environment
from audit.speed.timing import side_by_side
from multistage.data import listed
from multistage.registry.errors import DataError
from multistage.settings.tree import Config, parse
from multistage.train import protocol
from multistage.train.batches import Tensors
from multistage.train.history import History
from multistage.train.quiet import quiet
from multistage.train.restore import make_network
from multistage.train.training import TrainingTask, fit

NONE_LEFT_OUT = "no validation images; the images are those of draw 0"


def measure(settings: Settings) -> Measurement:
    """A refined epoch: some batches in turns, ours against the plain network and loop, then a whole one of ours."""
    measured = Measurement()
    config = settings.plan("data=caltech101", "trainer.max_epochs=1").config
    training, classes = _images(config)
    batch_size = config["data.batch_size"]
    batches = 1 if settings.quick else settings.batches
    some = _first(training, batches * batch_size)
    _ours(config, _first(training, batch_size), classes)
    net = plain_network(make_network(parse(config), classes))
    _plain(config, _first(training, batch_size), net, settings)
    timings = side_by_side(
        {"ours": lambda: _ours(config, some, classes), "plain": lambda: _plain(config, some, net, settings)},
        turns=1 if settings.quick else 3,
        seconds=0,
        least=1 if settings.quick else 3,
        warm_up=0,
    )
    more = {"batch_size": batch_size, "dtype": "float32"}
    measured.times(f"{batches} batches of {batch_size}, by the whole of fit", timings, **more)
    if not settings.quick:
        started = time.perf_counter()
        _ours(config, training, classes)
        seconds = time.perf_counter() - started
        measured.add(f"an epoch of {len(training[1]):,} images", "ours", seconds, "s", n=1, **more)
        measured.notes.append(f"a whole epoch is timed of ours alone; {NONE_LEFT_OUT}")
    return measured


def _images(config: Config) -> tuple[Tensors, int]:
    check_images(config)
    dataset = listed(parse(config).data)
    chosen = parse(config).draw.of(dataset).train
    return (dataset.pixels(chosen), dataset.labels[chosen]), len(dataset.class_names)


def check_images(config: Config) -> None:
    """Refuse to time a training that would begin with a download.

    Raises:
        DataError: Caltech-101 is not where the configuration looks for it.
    """
    folder = Path(config["data.root"]) / "caltech101"
    if not folder.is_dir():
        raise DataError(f"{folder} is missing; expected Caltech-101 there: set MULTISTAGE_DATA, or leave this part out")


def _first(samples: Tensors, count: int) -> Tensors:
    x, y = samples
    return x[:count], y[:count]


def _ours(config: Config, samples: Tensors, classes: int) -> None:
    net = make_network(parse(config), classes)
    with quiet():
        fit(TrainingTask(net, samples, _first(samples, 0), classes, config), History(), "none")


def _plain(config: Config, samples: Tensors, net: nn.Module, settings: Settings) -> None:
    lr, momentum = config["optimizer.lr"], config["optimizer.momentum"]
    plain_training(net, samples, config["data.batch_size"], lr, momentum, settings.device.type)


FURTHER = (
    "readout=lbfgs",
    "readout=lbfgs lbfgs.penalty=1e-2",
    "readout=lbfgs lbfgs.penalty=1e-4",
    "readout=sgd",
)
"""Runs on the same filters, one after the other; the first finds nothing that was kept."""


def measure_frozen(settings: Settings) -> Measurement:
    """Features of all images of draw 0, then classifiers and regularisers on them, each a run as train.py does it."""
    measured = Measurement()
    data_set = "digits" if settings.quick else "caltech101"
    typed = (f"data={data_set}", "refine=false")
    config = settings.plan(*typed).config
    if not settings.quick:
        check_images(config)
    dataset = listed(parse(config).data)  # decoded before caches are hidden
    split = parse(config).draw.of(dataset)
    images = sum(map(len, (split.train, split.validation, split.test)))
    with tempfile.TemporaryDirectory() as folder, environment(MULTISTAGE_CACHE=f"{folder}/cache"), quiet():
        for number, further in enumerate(FURTHER):
            run = settings.plan(*typed, *further.split(), f"output={folder}/runs")
            seconds = protocol.run(run, "none")["seconds"]
            order = "further" if number else "first"
            case = f"{data_set}, {order}: {further}"
            if not number:
                rate = images / seconds["features"]
                measured.add(f"{data_set}, features of {images:,} images", "rate", rate, "images/s")
            phases = {phase: seconds[phase] for phase in ("features", "train", "test")}
            for phase, value in phases.items():
                measured.add(case, phase, value, "s", n=1)
            measured.add(case, "together", sum(phases.values()), "s", n=1, order=order)
    measured.notes.append("times are of runs' own records; reading images is not among them")
    return measured
