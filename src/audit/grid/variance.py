"""Analysis of variance of the grid: rectification, normalisation, pooling, and their interactions.

A complete factorial design with fixed effects (Fisher 1925; Scheffe 1959, chapter 4): the sums of squares of main
effects and interactions add up to that of all cells. Each cell is one run. The noise of a run, from `noise`, inflates
every sum of squares; this bias is subtracted. Levels are fixed, not sampled, so only noise makes an interval: a
parametric bootstrap (Efron & Tibshirani 1993, section 6.5) adds noise to all cells and draws its variance from the
sampling distribution of the estimate.

Assumed: equal noise variance in all cells, and noise that is independent between cells once the mean of each draw is
removed. Runs of one draw share filters and images, so independence holds only approximately.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

import numpy as np

from multistage.records.intervals import CONFIDENCE, Interval

FACTORS = ("rectification", "normalisation", "pooling")
REPEATS = 2000


@dataclass(frozen=True)
class Noise:
    """Residual variance of a run, beyond its cell's and its draw's mean.

    Attributes:
        variance: In squared percentage points.
        freedom: Its degrees of freedom.
    """

    variance: float
    freedom: int


@dataclass(frozen=True)
class Share:
    """A share of the variance of all cells.

    Attributes:
        factors: One factor for a main effect, several for their interaction.
        value: A fraction.
        interval: Its interval; None if the noise is unknown.
    """

    factors: tuple[str, ...]
    value: float
    interval: Interval | None

    @property
    def name(self) -> str:
        """Return the factors in words."""
        return " x ".join(self.factors)


def noise(measured: Mapping[Any, Sequence[float]]) -> Noise | None:
    """Estimate noise as the residual after removing the means of cells and of draws.

    Args:
        measured: Accuracies of each cell per draw; all cells have the same draws.

    Returns:
        The noise; None for fewer than two cells or draws.
    """
    values = np.array([*measured.values()])
    if values.ndim < 2 or min(values.shape) < 2:
        return None
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    freedom = (values.shape[0] - 1) * (values.shape[1] - 1)
    return Noise(float((rest**2).sum() / freedom), freedom)


def shares(values: np.ndarray, of: Noise | None, repeats: int = REPEATS, seed: int = 0) -> list[Share]:
    """Compute the share of every main effect and interaction, in order.

    Args:
        values: Accuracies [rectifications, normalisations, poolings], none missing.
        of: Noise of a run; without it nothing is subtracted, and there are no intervals.
        repeats: Number of bootstrap samples.
        seed: Seed of the bootstrap.
    """
    variance = of.variance if of else 0.0
    found = _fractions(values, variance)
    if of is None:
        return [Share(factors, value, None) for factors, value in found.items()]
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(repeats):
        spread = variance * of.freedom / random.chisquare(of.freedom)
        again = values + random.normal(0, spread**0.5, values.shape)
        drawn.append([*_fractions(again, variance + spread).values()])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return [Share(factors, value, (float(low[i]), float(high[i]))) for i, (factors, value) in enumerate(found.items())]


def effects(values: np.ndarray, axis: int, by: int) -> np.ndarray:
    """Compute effects of a factor within each level of another, in points.

    Args:
        values: Accuracies [rectifications, normalisations, poolings], none missing.
        axis: The factor.
        by: The other factor.

    Returns:
        [levels, levels of the other]: the mean of a level minus that of all; the mean of a row is the main effect.
    """
    means = np.moveaxis(values, (axis, by), (0, 1)).mean(2)
    found: np.ndarray = means - means.mean(0)
    return found


def alike(values: np.ndarray, of: Noise) -> list[tuple[int, int, int, float]]:
    """Find levels between which cells differ by no more than the noise of a difference.

    Returns:
        Factor, two of its levels, and the root mean square of their differences, in points.
    """
    found = []
    for axis in range(values.ndim):
        for one, other in combinations(range(values.shape[axis]), 2):
            difference = values.take(one, axis) - values.take(other, axis)
            size = float((difference**2).mean() ** 0.5)
            if size <= (2 * of.variance) ** 0.5:
                found.append((axis, one, other, size))
    return found


def _fractions(values: np.ndarray, variance: float) -> dict[tuple[str, ...], float]:
    """Return each share of the total sum of squares, after subtracting the noise's contribution; at least 0.

    An interaction is what its means have beyond the effects of its parts.
    """
    clean: dict[tuple[str, ...], float] = {}
    parts: dict[tuple[int, ...], np.ndarray] = {(): values.mean(keepdims=True)}
    for size in (1, 2, 3):
        for axes in combinations(range(3), size):
            others = tuple(axis for axis in range(3) if axis not in axes)
            mean = values.mean(others, keepdims=True)
            smaller = [part for used, part in parts.items() if set(used) < set(axes)]
            parts[axes] = mean - sum(smaller)
            spread = np.broadcast_to(parts[axes], values.shape)
            freedom = prod(values.shape[axis] - 1 for axis in axes)
            square = float((spread**2).sum())
            clean[tuple(FACTORS[axis] for axis in axes)] = max(square - freedom * variance, 0.0)
    whole = sum(clean.values())
    return {factors: value / whole if whole else 0.0 for factors, value in clean.items()}
