"""Clocks, and timing of alternative implementations in turns, in one process."""

import math
import random
import time
import timeit
from collections.abc import Callable, Mapping
from functools import partial

import torch

Clocked = Callable[[], float]
"""A function that does its work and returns the seconds it took."""


def now() -> float:
    """Read the clock in seconds, after synchronising with the GPU if one is used."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    return time.perf_counter()


def clocked(run: Callable[[], object], before: Callable[[], object] | None = None) -> Clocked:
    """Make a function that times one call, without Python's garbage collection.

    Args:
        run: The function to time.
        before: Called before it and not timed, such as flushing a cache.
    """
    return partial(timeit.Timer(run, before or "pass", now).timeit, 1)


def in_turns(
    forms: Mapping[str, Clocked], turns: int, seconds: float = math.inf, least: int = 3
) -> dict[str, list[float]]:
    """Time forms in turns, each once per turn, so that disturbances of the machine affect all alike.

    The order is shuffled in each turn, because a function finds the cache as the previous one left it.

    Args:
        forms: Functions by name.
        turns: Largest number of turns.
        seconds: No turn starts after this time.
        least: Smallest number of turns, unless `turns` is smaller.

    Returns:
        Seconds by name, one per turn.
    """
    taken: dict[str, list[float]] = {name: [] for name in forms}
    order, shuffler = list(forms), random.Random(0)
    started = time.perf_counter()
    for turn in range(turns):
        if turn >= least and time.perf_counter() - started > seconds:
            break
        shuffler.shuffle(order)
        for name in order:
            taken[name].append(forms[name]())
    return taken
