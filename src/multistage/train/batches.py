"""Samples that lie in memory, handed to training in batches, in an order that seed and epoch decide."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from multistage.network.randomness import generator

Samples = tuple[Tensor, Tensor]
"""Inputs [n, ...] and labels [n]."""


class EpochOrder:
    """Batches of indices in an order that is a function of (seed, epoch); Lightning calls `set_epoch`."""

    def __init__(self, samples: int, batch_size: int, seed: int, device: torch.device | str = "cpu") -> None:
        self.samples, self.batch_size, self.seed, self.device = samples, batch_size, seed, device
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(self.samples, generator=generator(self.seed, "order", self.epoch))
        return iter(torch.split(order.to(self.device), self.batch_size))

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)


class Batches:
    """Batches of samples that lie in memory, taken where they lie when their turn comes.

    Args:
        samples: On any device.
        indices: Of each batch, on the same device.
    """

    def __init__(self, samples: Samples, indices: Sequence[Tensor]) -> None:
        self.samples, self.indices = samples, indices

    def __iter__(self) -> Iterator[Samples]:
        x, y = self.samples
        return ((x[batch], y[batch]) for batch in self.indices)

    def __len__(self) -> int:
        return len(self.indices)


class Calls:
    """The batches of an epoch in groups: what Lightning is given at a time.

    What Lightning does around each call of `training_step` takes as long as the arithmetic of a small step, so that
    an epoch of many small steps is handed over in fewer calls. Each step is done as if it came alone.

    Args:
        samples: On any device.
        sampler: Indices of each batch, on the same device. Lightning calls its `set_epoch`.
    """

    AN_EPOCH = 50
    """No fewer, where there are as many batches: progress is shown after each."""

    batch_sampler = None  # Lightning asks whatever has a sampler for this too

    def __init__(self, samples: Samples, sampler: EpochOrder) -> None:
        self.samples, self.sampler = samples, sampler
        self.steps = max(1, len(sampler) // self.AN_EPOCH)

    def __iter__(self) -> Iterator[Batches]:
        batches = list(self.sampler)
        return (Batches(self.samples, batches[i : i + self.steps]) for i in range(0, len(batches), self.steps))

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.steps)


def resident(samples: Samples, target: torch.device) -> Samples:
    """Samples on the device that uses them; or where they are, if they would take over half of its free memory."""
    x, y = samples
    if target.type == "cuda" and 2 * x.nbytes > torch.cuda.mem_get_info(target)[0]:
        return samples
    return x.to(target), y.to(target)
