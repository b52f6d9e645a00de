"""What a method finds for one filter bank, and what it may look at."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from multistage.layers import FilterBank
from multistage.settings.config import Config

Maps = Callable[[int], Tensor]
"""Gives what a stage sees of at most that many training images: [n, maps, height, width], in random order."""

Report = Callable[[int, float], None]
"""Called with (how many steps were done, mean energy of the last batch)."""

Method = Callable[[Config, int, FilterBank, Maps, torch.device, Report], "Filters"]
"""Takes configuration, number of the stage from 1, its bank with connections, its input, where to compute, and who is
told how far learning has got."""

MEASURED = "measured."
"""What the names of figures begin with among tensors."""


@dataclass(frozen=True)
class Filters:
    """Values for a filter bank.

    Attributes:
        kernels: k as the bank holds them, [out_maps, fan_in, size, size].
        gain: g, [out_maps]; None: as they are.
        measured: What is known of them, by name.
    """

    kernels: Tensor
    gain: Tensor | None = None
    measured: dict[str, float] = field(default_factory=dict)

    def install(self, bank: FilterBank) -> None:
        """Put the values into a bank."""
        with torch.no_grad():
            bank.kernels.copy_(self.kernels)
            if self.gain is not None:
                assert bank.gain is not None, "multistage.settings.config sees to it"
                bank.gain.copy_(self.gain)

    def tensors(self) -> dict[str, Tensor]:
        """All of it as tensors by name, for a file."""
        named = {"kernels": self.kernels, **({} if self.gain is None else {"gain": self.gain})}
        numbers = {MEASURED + name: torch.tensor(value, dtype=torch.float64) for name, value in self.measured.items()}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()} | numbers

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> "Filters":
        """From what `tensors` gave."""
        numbers = {name.removeprefix(MEASURED): t.item() for name, t in tensors.items() if name.startswith(MEASURED)}
        return cls(tensors["kernels"], tensors.get("gain"), numbers)


def correlating(filters: Tensor) -> Tensor:
    """Kernels k whose convolution is correlation with filters [out_maps, fan_in, size, size]: these, flipped."""
    return filters.flip(-1, -2)


def connected(filters: Tensor, bank: FilterBank) -> Tensor:
    """Filters [out_maps, in_maps, size, size] on the maps that a bank sees alone, [out_maps, fan_in, size, size]."""
    if bank.connections is None:
        return filters
    return filters.gather(1, bank.connections[:, :, None, None].expand(-1, -1, *filters.shape[2:]))


def random_length(filter_range: float, fan_in: int, size: int) -> float:
    """Root mean square of the Euclidean lengths of random filters [fan_in, size, size], uniform in +- a range."""
    return filter_range * math.sqrt(fan_in * size**2 / 3)


def of_length(filters: Tensor, length: float) -> Tensor:
    """Filters [n, ...] of one Euclidean length; one that is 0 stays 0."""
    lengths = filters.flatten(1).norm(dim=1).reshape(-1, *[1] * (filters.ndim - 1))
    return filters * (length / torch.where(lengths > 0, lengths, torch.inf))


def silent(step: int, energy: float) -> None:
    """Tells nobody."""
