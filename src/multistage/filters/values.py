"""What a method finds for one filter bank, and what it may look at."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from multistage.layers import FilterBank
from multistage.network.randomness import generator

Maps = Callable[[int], Tensor]
"""Gives what a stage sees of at most that many training images: [n, maps, height, width], in random order."""

Report = Callable[[int, float], None]
"""Called with (how many steps were done, mean energy of the last batch)."""


def silent(step: int, energy: float) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Site:
    """The filter bank that filters are wanted for, and all that may be looked at.

    Attributes:
        number: Of the stage, from 1.
        bank: For its sizes and connections.
        maps: Its input on training images.
        filter_range: Random filters of this stage are uniform in +- this.
        seed: Decides what is random.
        device: Where to compute.
        report: Told how far learning has got.
    """

    number: int
    bank: FilterBank
    maps: Maps
    filter_range: float
    seed: int
    device: torch.device
    report: Report = silent

    def random(self, purpose: str) -> torch.Generator:
        """A fresh generator for a purpose in this stage."""
        return generator(self.seed, purpose, self.number)

    @property
    def random_length(self) -> float:
        """Root mean square of the Euclidean lengths of random filters here."""
        _, fan_in, size, _ = self.bank.kernels.shape
        return self.filter_range * math.sqrt(fan_in * size**2 / 3)


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
                assert bank.gain is not None, "methods check that there is one"
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


def of_length(filters: Tensor, length: float) -> Tensor:
    """Filters [n, ...] of one Euclidean length; one that is 0 stays 0."""
    lengths = filters.flatten(1).norm(dim=1).reshape(-1, *[1] * (filters.ndim - 1))
    return filters * (length / torch.where(lengths > 0, lengths, torch.inf))
