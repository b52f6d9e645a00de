"""Training times as users see them: an epoch of the Caltech-101 network, and runs on frozen filters."""

import os
import tempfile
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

from audit.speed.baselines import plain_network, plain_training
from audit.speed.measurement import Bench
from audit.speed.timing import Clocked, clocked, in_turns
from multistage.data import listed
from multistage.registry.errors import DataError
from multistage.settings.tree import Config, parse
from multistage.train import protocol
from multistage.train.batches import Tensors
from multistage.train.history import History
from multistage.train.quiet import quiet
from multistage.train.restore import make_network
from multistage.train.training import TrainingTask, fit

BATCHES = 20
"""Batches of an epoch that are timed in turns."""

NONE_LEFT_OUT = "no validation images; the images are those of draw 0"


def measure(bench: Bench) -> None:
    """Time fine-tuning: some batches in turns, ours against the plain network and loop, then a whole epoch of ours."""
    config = bench.plan("data=caltech101", "trainer.max_epochs=1").config
    training, classes = _images(config)
    batch_size = config["data.batch_size"]
    batches = 1 if bench.quick else BATCHES
    net = plain_network(make_network(parse(config), classes))

    def forms(images: int) -> dict[str, Clocked]:
        some = _first(training, images)
        return {
            "ours": clocked(lambda: _ours(config, some, classes)),
            "plain": clocked(lambda: _plain(config, some, net, bench.device)),
        }

    in_turns(forms(batch_size), 1)  # warm-up: libraries are loaded
    taken = in_turns(forms(batches * batch_size), 1 if bench.quick else 3)
    more = {"batch_size": batch_size, "dtype": "float32"}
    bench.times(f"{batches} batches of {batch_size}, by the whole of fit", taken, **more)
    if not bench.quick:
        seconds = clocked(lambda: _ours(config, training, classes))()
        bench.add(f"an epoch of {len(training[1]):,} images", "ours", seconds, "s", n=1, **more)
        bench.notes.append(f"a whole epoch is timed of ours alone; {NONE_LEFT_OUT}")


def _images(config: Config) -> tuple[Tensors, int]:
    check_images(config)
    dataset = listed(parse(config).data)
    chosen = parse(config).draw.of(dataset).train
    return (dataset.pixels(chosen), dataset.labels[chosen]), len(dataset.class_names)


def check_images(config: Config) -> None:
    """Reject timing that would begin with a download.

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


def _plain(config: Config, samples: Tensors, net: nn.Module, device: torch.device) -> None:
    lr, momentum = config["optimizer.lr"], config["optimizer.momentum"]
    plain_training(net, samples, config["data.batch_size"], lr, momentum, device.type)


FURTHER = (
    "readout=lbfgs",
    "readout=lbfgs lbfgs.penalty=1e-2",
    "readout=lbfgs lbfgs.penalty=1e-4",
    "readout=sgd",
)
"""Time consecutive runs on the same filters; the first one starts with an empty cache."""


def measure_frozen(bench: Bench) -> None:
    """Time features of all images of draw 0, then classifiers and regularisers on them, each as a run of train.py."""
    data_set = "digits" if bench.quick else "caltech101"
    typed = (f"data={data_set}", "refine=false")
    config = bench.plan(*typed).config
    if not bench.quick:
        check_images(config)
    dataset = listed(parse(config).data)  # decode before hiding caches
    split = parse(config).draw.of(dataset)
    images = sum(map(len, (split.train, split.validation, split.test)))
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, MULTISTAGE_CACHE=f"{folder}/cache"), quiet():
        for number, further in enumerate(FURTHER):
            run = bench.plan(*typed, *further.split(), f"output={folder}/runs")
            seconds = protocol.run(run, "none")["seconds"]
            if not number:
                rate = images / seconds["features"]
                bench.add(f"{data_set}, features of {images:,} images", "rate", rate, "images/s")
            order = "further" if number else "first"
            case = f"{data_set}, {order}: {further}"
            phases = {phase: seconds[phase] for phase in ("features", "train", "test")}
            for phase, value in phases.items():
                bench.add(case, phase, value, "s", n=1)
            bench.add(case, "together", sum(phases.values()), "s", n=1, order=order)
    bench.notes.append("times are of runs' own records; reading images is not among them")
