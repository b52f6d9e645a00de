"""Randomness as a function of (seed, purpose, index), never of earlier draws.

Each random quantity has its own generator. So a new one changes no other, the order of runs does not matter, and
resuming at epoch n needs no saved state.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def generator(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """Return a fresh CPU generator for one purpose, e.g. ``generator(seed, "order", epoch)``."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@contextmanager
def seeded(seed: int, purpose: str, index: int = 0) -> Iterator[None]:
    """Seed torch's own random numbers, for modules that take them from there, and put them back (context manager)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, purpose, index).initial_seed())
        yield


def seeds(seed: int, count: int) -> list[int]:
    """Return a seed for each of `count` filter sets: the first is `seed`, the others are derived from it."""
    return [seed, *(generator(seed, "filter set", number).initial_seed() for number in range(2, count + 1))]
