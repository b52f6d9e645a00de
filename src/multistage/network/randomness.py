"""Randomness as a function of (seed, purpose, index), never of what was drawn before.

Each thing drawn at random has a generator of its own, so that adding one changes no other, the order of runs does not
matter, and a run that resumes at epoch n needs no saved state.
"""

import hashlib

import torch


def generator(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """A fresh CPU generator for one purpose, e.g. ``generator(seed, "order", epoch)``."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def seeds(seed: int, count: int) -> list[int]:
    """Seeds of so many filter sets: the first one's is `seed`, the others' follow from it."""
    return [seed, *(generator(seed, "filter set", number).initial_seed() for number in range(2, count + 1))]
