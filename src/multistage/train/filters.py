"""Gives the filter banks of a network their values, stage after stage, and keeps what was found.

Each stage looks at what the ones before it make of training images.
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
from multistage.network.randomness import generator, seeds
from multistage.registry import digest
from multistage.settings.tree import Settings
from multistage.storage.cache import cached
from multistage.train import features

Report = Callable[[int, int, float], None]
"""Called with (number of the stage, how many steps were done, mean energy of the last batch)."""


SECONDS = 5.0
"""Between two lines of progress while filters are learned."""


def progress_lines(method: Method) -> Report:
    """Prints how far filters have got, every few seconds."""
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
    """Reports nothing."""


def initialise(
    settings: Settings,
    net: MultiStageNet,
    dataset: Dataset,
    train: Tensor,
    device: torch.device,
    report: Report = tell_nobody,
) -> list[dict[str, float]]:
    """Give the filter banks of a network the values that ``filters`` names, unless they are to be random.

    Args:
        settings: Of the run.
        net: Made from it, with random filters; on the CPU, before and afterwards.
        dataset: Where the images are.
        train: Which of them may be looked at: the training images.
        device: Where to compute.
        report: Told how far learning has got.

    Returns:
        What was measured of each stage's filters, by name, filter set by filter set.

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
    """A filter bank among others.

    Attributes:
        number: Of its stage, from 1.
        before: The stages before it.
        bank: Itself.
        seed: Of its filter set.
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
    """What the method finds for a filter bank, kept on disk."""
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
    return Filters.of(cached("filters", source, lambda: method.find(site).tensors(), limited=True))


def _until(method: Method, number: int) -> Method:
    """A method without its settings for the stages after one."""
    per_stage = [field.name for field in fields(method) if field.metadata.get("per_stage")]
    return replace(method, **{name: getattr(method, name)[:number] for name in per_stage})
