"""Measured numbers, and 95 % confidence intervals of means."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev

Interval = tuple[float, float]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Measured:
    """A measured number.

    Attributes:
        value: The number, or a mean.
        what: Description, one line for the ledger of claims.
        unit: Unit after the number; "" for pure numbers and fractions.
        interval: 95 % interval of a mean; None if there is none.
        n: Number of measurements in the mean.
    """

    value: float
    what: str
    unit: str = ""
    interval: Interval | None = None
    n: int = 1


def mean_of(values: Sequence[float], what: str = "", unit: str = "") -> Measured:
    """Return the mean of measurements (of images, filters or runs) with Student's 95 % confidence interval."""
    values = [float(value) for value in values]
    return Measured(fmean(values), what, unit, t_interval(values), len(values))


def t_interval(values: Sequence[float]) -> Interval | None:
    """Return Student's 95 % confidence interval of the mean; None for fewer than two values."""
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return None
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * stdev(values) / sqrt(n)
    return fmean(values) - half, fmean(values) + half


def half_width(interval: Interval) -> float:
    """Return half the width of an interval, the number after a plus-minus sign."""
    return (interval[1] - interval[0]) / 2


def is_chance(accuracy: float, totals: Sequence[int]) -> bool:
    """Whether a mean accuracy over classes is not clearly better than chance: below the upper end of its 95 % interval.

    Args:
        accuracy: Mean over classes, a fraction; guessing, or always the same class, gives 1 / classes.
        totals: Number of images of each class; empty classes do not count in the mean.
    """
    if len(totals) < 2 or not any(totals):
        return False
    level, tested = 1 / len(totals), [n for n in totals if n]
    deviation = sqrt(sum(level * (1 - level) / n for n in tested)) / len(tested)
    return accuracy <= level + NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * deviation
