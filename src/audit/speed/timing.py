"""Timing forms of the same computation against each other, in one process, in turns."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """What one form took.

    Attributes:
        seconds: One a turn.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a fraction of the median."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / 2 / self.median


def side_by_side(
    forms: Mapping[str, Callable[[], object]],
    turns: int = 15,
    seconds: float = 20.0,
    least: int = 3,
    warm_up: int = 2,
    before: Callable[[], object] | None = None,
) -> dict[str, Timing]:
    """Time functions in turns: each once, then each again, so that whatever disturbs the machine disturbs all alike.

    Each turn has an order of its own, since a function finds in the cache what the one before it left there.

    Args:
        forms: By name.
        turns: At most.
        seconds: No further turn is begun after so long.
        least: Turns that are taken in any case.
        warm_up: Calls of each before.
        before: Called before each that is timed, and not timed: what empties a cache.

    Returns:
        Timings by name; on a GPU the time until it is done.
    """
    for run in [*forms.values()] * warm_up:
        run()
    taken: dict[str, list[float]] = {name: [] for name in forms}
    order, shuffler = list(forms.items()), random.Random(0)
    started = time.perf_counter()
    while len(taken[next(iter(forms))]) < turns:
        if time.perf_counter() - started > seconds and len(taken[next(iter(forms))]) >= least:
            break
        shuffler.shuffle(order)
        for name, run in order:
            if before is not None:
                before()
            taken[name].append(once(run))
    return {name: Timing(tuple(values)) for name, values in taken.items()}


def once(run: Callable[[], object]) -> float:
    """Seconds of one call, without Python's garbage collection."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        wait()
        started = time.perf_counter()
        run()
        wait()
        return time.perf_counter() - started
    finally:
        if enabled:
            gc.enable()


def wait() -> None:
    """Until a GPU, if one is used, has done what it was given."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
