"""Input and output of a filter method: a filter bank with its training data, and the filters found."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from multistage.layers import FilterBank
from multistage.network.randomness import generator

Maps = Callable[[int], Tensor]
"""Returns a stage's input for at most this many training images: [n, maps, height, width], in random order."""

Report = Callable[[int, float], None]
"""Called with (how many steps were done, mean energy of the last batch)."""


def silent(step: int, energy: float) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Site:
    """A filter bank to fill, with the data that may be used.

    Attributes:
        number: Number of the stage, from 1.
        bank: The filter bank, for its sizes and connections.
        maps: Its input on training images.
        filter_range: Random filters of this stage are uniform in +- this.
        seed: Seed of everything random.
        device: Device to compute on.
        report: Called with the progress of learning.
    """

    number: int
    bank: FilterBank
    maps: Maps
    filter_range: float
    seed: int
    device: torch.device
    report: Report = silent

    def random(self, purpose: str) -> torch.Generator:
        """Return a fresh generator for a purpose in this stage."""
        return generator(self.seed, purpose, self.number)

    @property
    def random_length(self) -> float:
        """Return the root mean square of the Euclidean norms of this stage's random filters."""
        _, fan_in, size, _ = self.bank.kernels.shape
        return self.filter_range * math.sqrt(fan_in * size**2 / 3)


MEASURED = "measured."
"""Prefix of measurements among tensors."""


@dataclass(frozen=True)
class Filters:
    """Values for a filter bank.

    Attributes:
        kernels: k in the form of the bank, [out_maps, fan_in, size, size].
        gain: g, [out_maps]; None: the bank's gains do not change.
        measured: Measurements, by name.
    """

    kernels: Tensor
    gain: Tensor | None = None
    measured: dict[str, float] = field(default_factory=dict)

    def install(self, bank: FilterBank) -> None:
        """Copy the values into a bank.

        Raises:
            ValueError: They are not of the bank's shape, or not finite.
        """
        for name, found in (("kernels", self.kernels), ("gain", self.gain)):
            expected = getattr(bank, name)
            if found is not None and expected is not None and found.shape != expected.shape:
                raise ValueError(f"found {name} {list(found.shape)}; expected {list(expected.shape)}")
            if found is not None and not found.isfinite().all():
                raise ValueError(f"found {name} that are not finite numbers")
        with torch.no_grad():
            bank.kernels.copy_(self.kernels)
            if self.gain is not None:
                assert bank.gain is not None, "methods check that there is one"
                bank.gain.copy_(self.gain)

    def tensors(self) -> dict[str, Tensor]:
        """Return everything as tensors by name, for a file."""
        named = {"kernels": self.kernels, **({} if self.gain is None else {"gain": self.gain})}
        numbers = {MEASURED + name: torch.tensor(value, dtype=torch.float64) for name, value in self.measured.items()}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()} | numbers

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> "Filters":
        """Restore from the result of `tensors`."""
        numbers = {name.removeprefix(MEASURED): t.item() for name, t in tensors.items() if name.startswith(MEASURED)}
        return cls(tensors["kernels"], tensors.get("gain"), numbers)


def correlating(filters: Tensor) -> Tensor:
    """Flip filters [out_maps, fan_in, size, size] to kernels k: convolving with k correlates with the filters."""
    return filters.flip(-1, -2)


def connected(filters: Tensor, bank: FilterBank) -> Tensor:
    """Restrict filters [out_maps, in_maps, size, size] to a bank's connections, [out_maps, fan_in, size, size]."""
    if bank.connections is None:
        return filters
    return filters.gather(1, bank.connections[:, :, None, None].expand(-1, -1, *filters.shape[2:]))


def of_length(filters: Tensor, length: float) -> Tensor:
    """Scale filters [n, ...] to one Euclidean norm; zero filters stay zero."""
    lengths = filters.flatten(1).norm(dim=1).reshape(-1, *[1] * (filters.ndim - 1))
    return filters * (length / torch.where(lengths > 0, lengths, torch.inf))
