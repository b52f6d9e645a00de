"""Overheads: starting a process, and Lightning's Trainer against a bare loop."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import nn

from audit.speed.measurement import Bench
from audit.speed.timing import Clocked, clocked, in_turns, now
from multistage.data import listed
from multistage.registry.errors import MultistageError
from multistage.settings import composition, optimizer
from multistage.settings.tree import Config, parse
from multistage.train import training
from multistage.train.batches import Tensors, epoch_order
from multistage.train.history import History
from multistage.train.quiet import quiet
from multistage.train.restore import make_network

ROOT = composition.CONF.parent

FIRST_STEP = """
import os, sys
import train
from multistage.train import training
def end(self, *_):
    import torch
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    os._exit(0)
training.Classifier.on_train_batch_end = end
sys.exit(train.main(sys.argv[1:]))
"""
"""Code of a process that ends with the first batch."""


def measure_start(bench: Bench) -> None:
    """Time whole processes: help, rejected settings, the first training step, README's first command."""
    wrong = "train.py", "optimizer.momentum=abc"
    first_step = _training("-c", FIRST_STEP, bench.accelerator)
    cases: dict[str, Clocked] = {
        "train.py --help": clocked(partial(_run, "train.py", "--help")),
        "train.py sead=1 (a key that does not exist)": clocked(partial(_run, "train.py", "sead=1", exit_code=2)),
        "train.py optimizer.momentum=abc (a value that torch refuses)": clocked(partial(_run, *wrong, exit_code=2)),
        "train.py, to the end of the first step": first_step,
    }
    if not bench.quick:
        of_mnist = _training("-c", FIRST_STEP, bench.accelerator, "data=mnist")
        cases["train.py data=mnist, to the end of the first step"] = of_mnist
        cases["train.py (README's first command, installed)"] = _training("train.py", bench.accelerator)
        first_step()  # warm-up: bytecode is compiled, files are cached
    for case, seconds in in_turns(cases, 1 if bench.quick else 3).items():
        bench.times(case, {"process": seconds})
    bench.notes.append("bytecode was compiled and files were in the system's memory; a machine's first start is longer")


def _run(*command: str, exit_code: int = 0) -> None:
    result = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    if result.returncode != exit_code:
        raise MultistageError(f"{' '.join(command)} ended with {result.returncode}: {result.stderr.strip()[-300:]}")


def _training(*command: str) -> Clocked:
    """Time a process that trains, in a new folder."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as output:
            _run(*command, f"output={output}")

    return clocked(run)


NO_ARITHMETIC = ("stages=1", "model=avgpool", "geometry.stage1.maps=1", "data.batch_size=1")
"""Settings of a network so small that a step is almost only overhead."""


def measure_overhead(bench: Bench) -> None:
    """Compare an epoch by `training.fit` with a bare loop of the same arithmetic, and time a nearly empty step."""
    name = "digits" if bench.quick else "mnist"
    whole, little, rounds = (500, 200, 1) if bench.quick else (60_000, 2000, 5)
    for overrides, count in ((), whole), (NO_ARITHMETIC, little):
        taken, steps = trainer_and_loop([f"data={name}", *overrides], count, rounds, bench)
        if overrides:
            taken = {form: [value / steps for value in values] for form, values in taken.items()}
            case = f"a step without arithmetic, mean of {steps:,}"
        else:
            case = f"{name}, an epoch of {count:,} images ({steps} steps)"
        bench.times(case, taken, steps=steps)
        share = statistics.median(trainer / loop - 1 for trainer, loop in zip(*taken.values(), strict=True))
        bench.add(case, "overhead", share, "overhead", n=rounds)
    bench.notes.append("from the beginning of an epoch's first step to its metrics; both end with the same weights")


def trainer_and_loop(typed: list[str], images: int, rounds: int, bench: Bench) -> tuple[dict[str, list[float]], int]:
    """Time an epoch by Lightning's Trainer and by a bare loop, in turns; also return the number of steps.

    Args:
        typed: Settings.
        images: Number of training images of draw 0.
        rounds: Repetitions of each, after one warm-up.
        bench: The bench, for its device.

    Raises:
        MultistageError: The two end with different weights.
    """
    config = bench.plan(*typed, "trainer.max_epochs=1").config
    dataset = listed(parse(config).data)
    chosen = parse(config).draw.of(dataset).train[:images]
    samples, classes = (dataset.pixels(chosen), dataset.labels[chosen]), len(dataset.class_names)
    nets: dict[str, nn.Module] = {}

    def epoch(form: str, train: Callable[..., float]) -> float:
        nets[form] = make_network(parse(config), classes)
        return train(nets[form], samples, classes, config, bench.device)

    forms = {"trainer": partial(epoch, "trainer", _by_trainer), "loop": partial(epoch, "loop", _by_loop)}
    in_turns(forms, 1)
    taken = in_turns(forms, rounds)
    for (name, expected), actual in zip(nets["loop"].named_parameters(), nets["trainer"].parameters(), strict=True):
        if not torch.allclose(expected, actual, rtol=1e-4, atol=1e-6):
            raise MultistageError(f"{name} differs between Trainer and bare loop; expected the same weights")
    return taken, -(-len(chosen) // config["data.batch_size"])


def _by_trainer(net: nn.Module, samples: Tensors, classes: int, config: Config, device: torch.device) -> float:
    marks: list[float] = []

    def mark(*_: object) -> None:  # adds only one clock reading per epoch
        marks.append(now())

    class Clock(History):
        def add(self, *arguments: Any, **named: Any) -> None:
            super().add(*arguments, **named)
            mark()

    x, y = samples
    task = training.TrainingTask(net, samples, (x[:0], y[:0]), classes, config)
    with quiet(), patch.object(training.Classifier, "on_train_epoch_start", mark):
        training.fit(task, Clock(), "none")
    return marks[-1] - marks[0]


def _by_loop(net: nn.Module, samples: Tensors, classes: int, config: Config, device: torch.device) -> float:
    net.train().to(device)
    x, y = (part.to(device) for part in samples)
    batches = -(-len(y) // config["data.batch_size"])
    made, schedule = optimizer.make(config, net.parameters(), batches)
    started = now()
    for batch in torch.split(epoch_order(len(y), config["seed"], 0).to(device), config["data.batch_size"]):
        made.zero_grad()
        torch.autograd.backward(F.cross_entropy(net(x[batch]), y[batch]))
        made.step()
        if schedule is not None:
            schedule.step()
    seconds = now() - started
    net.cpu().eval()
    return seconds
