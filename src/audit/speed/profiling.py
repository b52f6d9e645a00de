"""Where the time of a training step goes: by part of the network, and by operation.

Times by part are clock readings where one part ends and the next begins, forward and backward, of steps that nothing
else watches; operations are counted by torch's profiler in further steps, which it slows down.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.profiler import record_function
from torch.utils.hooks import RemovableHandle

from audit.speed.timing import wait
from multistage.data import listed
from multistage.network.net import MultiStageNet
from multistage.registry.errors import ConfigError
from multistage.settings import optimizer
from multistage.settings.tree import Config, parse
from multistage.train import hardware
from multistage.train.restore import make_network

FORWARD, BACKWARD = "forward", "backward"


@dataclass(frozen=True)
class Operation:
    """One of torch's operations, or a kernel: its seconds a step without those that it calls, and its calls a step."""

    name: str
    seconds: float
    calls: float


@dataclass(frozen=True)
class Profile:
    """Of a training step.

    Attributes:
        step: Seconds, mean.
        parts: Seconds by part and direction, mean; the directions of what has none are ``forward``.
        operations: The longest first.
        in_kernels: Share of the step's time in which a kernel ran; None on the CPU.
        batch: Images a step.
        device: Where.
    """

    step: float
    parts: dict[str, dict[str, float]]
    operations: tuple[Operation, ...]
    in_kernels: float | None
    batch: int
    device: str


class Clock:
    """Notes what begins when; on a GPU in its own time."""

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"
        self.marks: list[tuple[tuple[str, str], Any]] = []

    def begin(self, part: str, direction: str = FORWARD) -> None:
        """What went on before ends here."""
        if self.on_gpu:
            now: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            now.record()
        else:
            now = time.perf_counter()
        self.marks.append(((part, direction), now))

    def seconds(self) -> dict[str, dict[str, float]]:
        """By part and direction, up to the last mark."""
        wait()
        found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for ((part, direction), start), (_, end) in zip(self.marks, self.marks[1:], strict=False):
            found[part][direction] += start.elapsed_time(end) / 1000 if self.on_gpu else end - start
        return {part: dict(directions) for part, directions in found.items()}


def profile(config: Config, steps: int = 5, warm_up: int = 2, trace: Path | None = None) -> Profile:
    """Profile the training steps of a run on its first images.

    Args:
        config: The run's configuration.
        steps: Watched, once by the clock and once by torch's profiler.
        warm_up: Steps before.
        trace: File for what chrome://tracing and Perfetto show.

    Raises:
        ConfigError: A run whose network does not learn.
        DataError: Missing, changed or unreadable data.
    """
    if not config["refine"]:
        raise ConfigError("refine=false has no training step through the network; expected refine=true")
    device = hardware.device(config["trainer.accelerator"])
    dataset = listed(parse(config).data)
    chosen = parse(config).draw.of(dataset).train[: config["data.batch_size"]]
    net = make_network(parse(config), len(dataset.class_names)).train().to(device)
    batch = dataset.pixels(chosen).to(device), dataset.labels[chosen].to(device)
    made, _ = optimizer.make(config, net.parameters(), 1)
    clock = Clock(device)
    with _watched(net, clock):
        for _ in range(warm_up):
            step(net, made, batch, clock)
        clock.marks.clear()
        for _ in range(steps):
            step(net, made, batch, clock)
        parts = clock.seconds()
        parts.pop(BETWEEN, None)
        parts = {part: {k: v / steps for k, v in directions.items()} for part, directions in parts.items()}
        activities = [torch.profiler.ProfilerActivity.CPU]
        if clock.on_gpu:
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        with torch.profiler.profile(activities=activities) as watched:
            started = time.perf_counter()
            for _ in range(steps):
                step(net, made, batch, clock)
            wait()
            seconds = time.perf_counter() - started
    if trace is not None:
        watched.export_chrome_trace(str(trace))
    operations = _operations(watched, steps, clock.on_gpu)
    in_kernels = sum(o.seconds for o in operations) * steps / seconds if clock.on_gpu else None
    whole = sum(sum(directions.values()) for directions in parts.values())
    return Profile(whole, parts, operations, in_kernels, len(chosen), str(device))


BETWEEN = "between steps"


def step(net: nn.Module, made: Any, batch: tuple[Tensor, Tensor], clock: Clock) -> None:
    """A training step, as `training` does it."""
    x, y = batch
    clock.begin("optimiser")
    made.zero_grad()
    scores = net(x)
    clock.begin("loss")
    loss = F.cross_entropy(scores, y)
    clock.begin("loss", BACKWARD)
    torch.autograd.backward(loss)
    clock.begin("optimiser")
    made.step()
    clock.begin(BETWEEN)


def parts_of(net: MultiStageNet) -> dict[str, nn.Module]:
    """By name, in the order in which they work."""
    stages = enumerate(net.stages, 1)
    parts = {f"stage {n}, {name}": part for n, stage in stages for name, part in stage.named_children()}
    return parts | {"classifier": net.classifier}


@contextmanager
def _watched(net: MultiStageNet, clock: Clock) -> Iterator[None]:
    """Let parts tell the clock when they begin, and name themselves to torch's profiler.

    The network is a chain: a part's backward begins when the gradient of its output is there; the one before ends.
    """

    def watch(name: str, part: nn.Module) -> list[RemovableHandle]:
        named = record_function(name)

        def before(*_: object) -> None:
            clock.begin(name)
            named.__enter__()  # type: ignore[no-untyped-call]

        def after(module: nn.Module, inputs: object, output: Tensor) -> None:
            named.__exit__(None, None, None)
            output.register_hook(lambda _: clock.begin(name, BACKWARD))  # type: ignore[no-untyped-call]

        return [part.register_forward_pre_hook(before), part.register_forward_hook(after)]

    handles = [handle for name, part in parts_of(net).items() for handle in watch(name, part)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _operations(watched: torch.profiler.profile, steps: int, on_gpu: bool) -> tuple[Operation, ...]:
    found = []
    for entry in watched.key_averages():
        microseconds = entry.self_device_time_total if on_gpu else entry.self_cpu_time_total
        if microseconds and not entry.is_user_annotation:
            found.append(Operation(entry.key, microseconds / 1e6 / steps, entry.count / steps))
    return tuple(sorted(found, key=lambda operation: -operation.seconds))
