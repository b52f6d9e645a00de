"""How much of the variance of the grid is rectification, normalisation, pooling, and their products.

Analysis of variance of a complete grid with fixed levels (Fisher 1925; Scheffe 1959, chapter 4): the sums of squares of
main effects and products add up to that of all cells. Each cell is one run; the noise of a run, from `noise`, adds to
every sum of squares what is subtracted here. Levels are all that there are and no sample, so that only the noise makes
an interval: a parametric bootstrap (Efron & Tibshirani 1993, section 6.5) of noise on all cells, its variance drawn
from its own distribution.

Assumed: one variance of noise for all cells, and noise of one cell that says nothing about that of another, once what
all cells of a draw share is taken away. Runs of one draw share filters and images, so that the second is nearly true
at best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from multistage.records.intervals import CONFIDENCE, Interval

FACTORS = ("rectification", "normalisation", "pooling")
REPEATS = 2000


@dataclass(frozen=True)
class Noise:
    """What moves a run besides its cell and its draw.

    Attributes:
        variance: In squared points.
        freedom: Its degrees of freedom.
    """

    variance: float
    freedom: int


@dataclass(frozen=True)
class Share:
    """Of the variance of all cells.

    Attributes:
        factors: Of which it is: one for a main effect, several for their product.
        value: A fraction.
        interval: None without noise.
    """

    factors: tuple[str, ...]
    value: float
    interval: Interval | None

    @property
    def name(self) -> str:
        """In words."""
        return " x ".join(self.factors)


def noise(measured: Mapping[Any, Sequence[float]]) -> Noise | None:
    """Of cells that were all run on the same draws: what is left once means of cells and of draws are taken away.

    Args:
        measured: Accuracies of each cell, draw by draw.

    Returns:
        None for fewer than two cells or draws.
    """
    values = np.array([*measured.values()])
    if values.ndim < 2 or min(values.shape) < 2:
        return None
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    freedom = (values.shape[0] - 1) * (values.shape[1] - 1)
    return Noise(float((rest**2).sum() / freedom), freedom)


def shares(values: np.ndarray, of: Noise | None, repeats: int = REPEATS, seed: int = 0) -> list[Share]:
    """Of every main effect and product, in order.

    Args:
        values: Accuracies [rectifications, normalisations, poolings], all there.
        of: Of a run; None: nothing is subtracted, and there are no intervals.
        repeats: Of the bootstrap.
        seed: Of its random numbers.
    """
    free = _freedom(values.shape)
    variance = of.variance if of else 0.0
    found = _fractions(_squares(values), free, variance)
    if of is None:
        return [Share(factors, value, None) for factors, value in found.items()]
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(repeats):
        spread = variance * of.freedom / random.chisquare(of.freedom)
        again = values + random.normal(0, spread**0.5, values.shape)
        drawn.append([*_fractions(_squares(again), free, variance + spread).values()])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return [Share(factors, value, (float(low[i]), float(high[i]))) for i, (factors, value) in enumerate(found.items())]


def effects(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of each level of a factor, less that of all cells, in points."""
    others = tuple(other for other in range(values.ndim) if other != axis)
    found: np.ndarray = values.mean(others) - values.mean()
    return found


def _squares(values: np.ndarray) -> dict[tuple[str, ...], float]:
    """Sums of squares: each product is what its means have beyond the effects of its parts."""
    found: dict[tuple[str, ...], float] = {}
    parts: dict[tuple[int, ...], np.ndarray] = {(): values.mean(keepdims=True)}
    for size in (1, 2, 3):
        for axes in combinations(range(3), size):
            others = tuple(axis for axis in range(3) if axis not in axes)
            mean = values.mean(others, keepdims=True)
            smaller = [part for used, part in parts.items() if set(used) < set(axes)]
            parts[axes] = mean - sum(smaller)
            spread = np.broadcast_to(parts[axes], values.shape)
            found[tuple(FACTORS[axis] for axis in axes)] = float((spread**2).sum())
    return found


def _freedom(shape: Sequence[int]) -> dict[tuple[str, ...], int]:
    return {
        tuple(FACTORS[axis] for axis in axes): int(np.prod([shape[axis] - 1 for axis in axes]))
        for size in (1, 2, 3)
        for axes in combinations(range(3), size)
    }


def _fractions(
    squares: Mapping[tuple[str, ...], float], free: Mapping[tuple[str, ...], int], variance: float
) -> dict[tuple[str, ...], float]:
    """Of the whole, each less what noise adds to it, and never below 0."""
    clean = {factors: max(value - free[factors] * variance, 0.0) for factors, value in squares.items()}
    whole = sum(clean.values())
    return {factors: value / whole if whole else 0.0 for factors, value in clean.items()}
