"""Profile a training step: time by part of the network, and by operation.

Times by part are clock readings at the boundaries of parts, forward and backward, without the profiler. Operations are
measured by torch's profiler in separate steps, because it slows them down.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.profiler import record_function
from torch.utils.hooks import RemovableHandle

from audit.speed.timing import now
from multistage.data import listed
from multistage.network.net import MultiStageNet
from multistage.readout import Readout
from multistage.registry.errors import ConfigError
from multistage.settings import optimizer, param_groups, trainer
from multistage.settings.tree import Config, parse
from multistage.train import hardware
from multistage.train.restore import make_network
from multistage.train.training import held, named

FORWARD, BACKWARD = "forward", "backward"
BETWEEN = "between steps"


@dataclass(frozen=True)
class Operation:
    """A torch operation or a kernel: its own seconds per step (without operations it calls), and calls per step."""

    name: str
    seconds: float
    calls: float


@dataclass(frozen=True)
class Profile:
    """Profile of a training step.

    Attributes:
        parts: Mean seconds by part and direction; parts without a direction count as ``forward``.
        operations: Operations, longest first.
        in_kernels: Fraction of the step's time in which a kernel ran; None on the CPU.
        batch: Images per step.
        device: Device of the measurement.
    """

    parts: dict[str, dict[str, float]]
    operations: tuple[Operation, ...]
    in_kernels: float | None
    batch: int
    device: str

    @property
    def step(self) -> float:
        """Return mean seconds of a step."""
        return sum(sum(directions.values()) for directions in self.parts.values())


class Clock:
    """Record when each part begins; on a GPU by events in its stream."""

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"
        self.marks: list[tuple[tuple[str, str], Any]] = []

    def begin(self, part: str, direction: str = FORWARD) -> None:
        """Mark the end of the current part."""
        if self.on_gpu:
            mark: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            mark.record()
        else:
            mark = time.perf_counter()
        self.marks.append(((part, direction), mark))

    def seconds(self, steps: int) -> dict[str, dict[str, float]]:
        """Return seconds of a step by part and direction, up to the last mark."""
        now()  # wait for the last mark
        found: dict[str, dict[str, float]] = {}
        for ((part, direction), start), (_, end) in pairwise(self.marks):
            seconds = start.elapsed_time(end) / 1000 if self.on_gpu else end - start
            directions = found.setdefault(part, {})
            directions[direction] = directions.get(direction, 0.0) + seconds / steps
        found.pop(BETWEEN, None)
        return found


def profile(config: Config, steps: int = 5, warm_up: int = 2, trace: Path | None = None) -> Profile:
    """Profile the training steps of a run on its first images, without augmentation, dropout and class weights.

    Args:
        config: The run's configuration.
        steps: Number of measured steps, once by the clock and once by torch's profiler.
        warm_up: Number of steps before the measurement.
        trace: Trace file for chrome://tracing and Perfetto.

    Raises:
        ConfigError: The run does not train its network, or not in float32.
        DataError: Missing, changed or unreadable data.
    """
    if not config["refine"]:
        raise ConfigError("refine=false has no training step through the network; expected refine=true")
    if (precision := trainer.value_of(config, "precision")) != "32-true":
        raise ConfigError(f"trainer.precision={precision} cannot be profiled; expected 32-true")
    device = hardware.device(config["trainer.accelerator"])
    settings = parse(config)
    dataset = listed(settings.data)
    chosen = settings.draw.of(dataset).train[: settings.batch_size]
    net = make_network(settings, len(dataset.class_names)).train().to(device)
    batch = dataset.pixels(chosen).to(device), dataset.labels[chosen].to(device)
    made, _ = optimizer.make(config, param_groups.split(config, named(net)), 1)
    clock = Clock(device)

    def work(times: int) -> None:
        for _ in range(times):
            step(net, settings.readout, made, batch, clock)

    with held(config, net), _watched(net, clock):
        work(warm_up)
        clock.marks.clear()
        work(steps)
        parts = clock.seconds(steps)
        with torch.profiler.profile() as watched:
            started = now()
            work(steps)
            seconds = now() - started
    if trace is not None:
        watched.export_chrome_trace(str(trace))
    operations = _operations(watched, steps, clock.on_gpu)
    in_kernels = sum(o.seconds for o in operations) * steps / seconds if clock.on_gpu else None
    return Profile(parts, operations, in_kernels, len(chosen), str(device))


def step(net: nn.Module, readout: Readout, made: Any, batch: tuple[Tensor, Tensor], clock: Clock) -> None:
    """Do a training step: zero gradients, scores, the readout's loss, backward pass, optimiser."""
    x, y = batch
    clock.begin("optimiser")
    made.zero_grad()
    scores = net(x)
    clock.begin("loss")
    loss = readout.loss(scores, y)
    clock.begin("loss", BACKWARD)
    torch.autograd.backward(loss)
    clock.begin("optimiser")
    made.step()
    clock.begin(BETWEEN)


@contextmanager
def _watched(net: MultiStageNet, clock: Clock) -> Iterator[None]:
    """Hook parts so that they notify the clock when they begin, and name themselves in torch's profiler.

    The network is a chain: the backward pass of a part begins when the gradient of its output exists, and ends the
    previous one.
    """
    parts: dict[str, nn.Module] = {"classifier": net.classifier}
    for which, stages in enumerate(net.filter_sets, 1):
        of_set = f"filter set {which}, " if len(net.filter_sets) > 1 else ""
        for number, stage in enumerate(stages, 1):
            parts |= {f"{of_set}stage {number}, {name}": part for name, part in stage.named_children()}
    with ExitStack() as hooks:
        for name, part in parts.items():
            for hook in _hooks(name, part, clock):
                hooks.enter_context(hook)
        yield


def _hooks(name: str, part: nn.Module, clock: Clock) -> tuple[RemovableHandle, RemovableHandle]:
    named = record_function(name)

    def before(*_: object) -> None:
        clock.begin(name)
        named.__enter__()  # type: ignore[no-untyped-call]

    def after(module: nn.Module, inputs: object, output: Tensor) -> None:
        named.__exit__(None, None, None)
        output.register_hook(lambda _: clock.begin(name, BACKWARD))  # type: ignore[no-untyped-call]

    return part.register_forward_pre_hook(before), part.register_forward_hook(after)


def _operations(watched: torch.profiler.profile, steps: int, on_gpu: bool) -> tuple[Operation, ...]:
    found = []
    for entry in watched.key_averages():
        microseconds = entry.self_device_time_total if on_gpu else entry.self_cpu_time_total
        if microseconds and not entry.is_user_annotation:
            found.append(Operation(entry.key, microseconds / 1e6 / steps, entry.count / steps))
    return tuple(sorted(found, key=lambda operation: -operation.seconds))
