"""Numbers that were measured, and the 95 % confidence intervals of means."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev

Interval = tuple[float, float]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Measured:
    """A number that was measured.

    Attributes:
        value: The number, or a mean.
        what: What it is, in words: one line for the ledger of claims.
        unit: As it is written behind the number; "" for pure numbers and fractions.
        interval: 95 % interval of a mean; None where there is none.
        n: How many measurements the value is a mean of.
    """

    value: float
    what: str
    unit: str = ""
    interval: Interval | None = None
    n: int = 1


def mean_of(values: Sequence[float], what: str, unit: str = "") -> Measured:
    """The mean of measurements, one an image or a filter, with Student's 95 % confidence interval."""
    values = [float(value) for value in values]
    return Measured(fmean(values), what, unit, t_interval(values), len(values))


def t_interval(values: Sequence[float]) -> Interval | None:
    """Student's 95 % confidence interval of the mean; None for fewer than two values."""
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return None
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * stdev(values) / sqrt(n)
    return fmean(values) - half, fmean(values) + half


def half_width(interval: Interval) -> float:
    """What stands behind a plus-minus."""
    return (interval[1] - interval[0]) / 2


def is_chance(accuracy: float, totals: Sequence[int]) -> bool:
    """Whether a mean accuracy over classes is below the end of the binomial 95 % interval around that of guessing.

    Args:
        accuracy: Mean over classes, a fraction; of whoever guesses, or always says the same, 1 / classes.
        totals: Images of each class; those without any are left out of the mean.
    """
    if len(totals) < 2 or not any(totals):
        return False
    level, tested = 1 / len(totals), [n for n in totals if n]
    deviation = sqrt(sum(level * (1 - level) / n for n in tested)) / len(tested)
    return accuracy <= level + NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * deviation
