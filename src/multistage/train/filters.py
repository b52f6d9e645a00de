"""Initialise the filter banks of a network stage by stage, and cache the filters.

Each stage learns from the outputs of the stages before it on training images.
"""

import math
import time
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from multistage.data.dataset import IN_MEMORY, Dataset, hash_tensors
from multistage.filters import Method
from multistage.filters.values import Filters, Site
from multistage.layers import FilterBank
from multistage.network.net import MultiStageNet
from multistage.network.randomness import generator, seeded, seeds
from multistage.registry import digest
from multistage.settings.tree import Settings
from multistage.storage.cache import cached
from multistage.train import features

Report = Callable[[int, int, float], None]
"""Called with (number of the stage, how many steps were done, mean energy of the last batch)."""


SECONDS = 5.0
"""Seconds between lines of progress while filters are learned."""


def progress_lines(method: Method) -> Report:
    """Return a reporter that prints the progress of learning filters every few seconds."""
    shown = started = time.perf_counter()

    def show(stage: int, step: int, energy: float) -> None:
        nonlocal shown, started
        now = time.perf_counter()
        if step == 1:
            shown = started = now
        if now - shown >= SECONDS:
            shown = now
            steps = method.steps_in(stage)
            done = f"step {step}" if steps is None else f"step {step}/{steps}"
            print(f"filters of stage {stage}  {done}  energy {energy:.4f}  {now - started:.1f} s", flush=True)

    return show


def tell_nobody(stage: int, step: int, energy: float) -> None:
    """Report nothing."""


def initialise(
    settings: Settings,
    net: MultiStageNet,
    dataset: Dataset,
    train: Tensor,
    device: torch.device,
    report: Report = tell_nobody,
) -> list[dict[str, float]]:
    """Initialise the filter banks of a network by the method of ``filters``; random filters stay as they are.

    Args:
        settings: The run's settings.
        net: Its network, with random filters; on the CPU, before and afterwards.
        dataset: The data set.
        train: Numbers of the training images; only these are used.
        device: Device to compute on.
        report: Called with the progress of learning.

    Returns:
        Measurements of each stage's filters, by name, for one filter set after the other.

    Raises:
        MultistageError: Images without any structure.
    """
    measured = []
    for stages, seed in zip(net.filter_sets, seeds(settings.seed, settings.sets.banks), strict=True):
        for number, stage in enumerate(stages, 1):
            place = _Place(number, stages[: number - 1], stage.filter_bank, seed)  # type: ignore[arg-type]
            found = _found(settings, place, dataset, train, device, partial(report, number))
            found.install(place.bank)
            measured.append(found.measured)
    return measured


class _Place(NamedTuple):
    """A filter bank and its place in the network.

    Attributes:
        number: Number of its stage, from 1.
        before: The stages before it.
        bank: The filter bank.
        seed: Seed of its filter set.
    """

    number: int
    before: nn.Sequential
    bank: FilterBank
    seed: int


def _found(
    settings: Settings,
    place: _Place,
    dataset: Dataset,
    train: Tensor,
    device: torch.device,
    report: Callable[[int, float], None],
) -> Filters:
    """Return the method's filters for a filter bank, cached."""
    method, (number, before, bank, seed) = settings.filters, place
    features.calibrate(before, dataset, train, device)
    *earlier, own = settings.geometry[:number]
    done = settings.operations[: number - 1], settings.operations[number - 1].filter_bank
    connections = None if bank.connections is None else hash_tensors(bank.connections)
    source = digest(
        *(number, _until(method, number), seed, earlier, replace(own, window=1, step=1), done),
        *(connections, features.net_digest(before), features.images_of(settings, dataset), hash_tensors(train)),
        *features.computed_by(device),
    )
    random = generator(seed, f"{method.name} images", number)
    order = train[torch.randperm(len(train), generator=random)]
    most = max(1, IN_MEMORY // (4 * math.prod(settings.shapes[number - 1].input)))

    def maps(limit: int) -> Tensor:
        return features.outputs(before, dataset, order[: min(limit, most)], device)

    site = Site(number, bank, maps, own.filter_range, seed, device, report)

    def find() -> dict[str, Tensor]:
        with seeded(seed, f"{method.name} filters", number):
            return method.find(site).tensors()

    return Filters.of(cached("filters", source, find, limited=True))


def _until(method: Method, number: int) -> Method:
    """Return a method without its settings for stages after this one."""
    per_stage = [field.name for field in fields(method) if field.metadata.get("per_stage")]
    return replace(method, **{name: getattr(method, name)[:number] for name in per_stage})
