"""Clocks, and timing forms of the same work against each other, in one process, in turns."""

import math
import random
import time
import timeit
from collections.abc import Callable, Mapping
from functools import partial

import torch

Clocked = Callable[[], float]
"""Does its work and returns the seconds that it took."""


def now() -> float:
    """Seconds, read when a GPU, if one is used, has done what it was given."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    return time.perf_counter()


def clocked(run: Callable[[], object], before: Callable[[], object] | None = None) -> Clocked:
    """A function that times one call, without Python's garbage collection.

    Args:
        run: What is timed.
        before: Called before and not timed: what empties a cache.
    """
    return partial(timeit.Timer(run, before or "pass", now).timeit, 1)


def in_turns(
    forms: Mapping[str, Clocked], turns: int, seconds: float = math.inf, least: int = 3
) -> dict[str, list[float]]:
    """Let each form work once, then each again, so that whatever disturbs the machine disturbs all alike.

    Each turn has an order of its own, since a function finds in the cache what the one before it left there.

    Args:
        forms: By name.
        turns: At most.
        seconds: No further turn is begun after so long.
        least: Turns that are taken in any case, unless `turns` are fewer.

    Returns:
        Seconds by name, one a turn.
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
