"""Rank places with simultaneous confidence intervals, which correct for choosing the best of many.

Multiple comparisons with the best (Hsu, Annals of Statistics 12, 1984; Multiple Comparisons, 1996, chapter 4): the
difference of each place from the best of the others, with simultaneous 95 % confidence. All places were run on the same
draws, none of which selected them. Critical values: Dunnett 1955, one-sided.

Assumed: normal noise with equal variance for all places (`variance.noise`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

import numpy as np

from audit.grid.places import Place
from audit.grid.variance import Noise
from multistage.records.intervals import CONFIDENCE, Interval

NODES = 128
WIDEST = 12.0


@dataclass(frozen=True)
class Ranked:
    """A measured place with its interval.

    Attributes:
        place: The place.
        mean: Mean accuracy over the measurement draws, in %.
        against: Simultaneous interval of its difference from the best of the others, in points.
    """

    place: Place
    mean: float
    against: Interval

    @property
    def may_be_best(self) -> bool:
        """Return whether its interval reaches above 0."""
        return self.against[1] > 0


def ranking(measured: Mapping[Place, Sequence[float]], noise: Noise) -> list[Ranked]:
    """Compute every place's interval, best first.

    Args:
        measured: Accuracies of at least two places on the same draws.
        noise: Noise of a run.
    """
    means = {place: fmean(values) for place, values in measured.items()}
    draws = len(next(iter(measured.values())))
    width = dunnett(len(means) - 1, noise.freedom) * float(np.sqrt(2 * noise.variance / draws))
    first, second = sorted(means.values(), reverse=True)[:2]
    found = []
    for place, mean in means.items():
        lead = mean - (second if mean == first else first)
        found.append(Ranked(place, mean, (min(0.0, lead - width), max(0.0, lead + width))))
    return sorted(found, key=lambda each: (-each.mean, each.place))


@cache
def dunnett(comparisons: int, freedom: int, confidence: float = CONFIDENCE) -> float:
    """Compute Dunnett's one-sided critical value for comparing several means with one, all of equal sample size.

    Args:
        comparisons: Number of means that are compared with the one.
        freedom: Degrees of freedom of the variance.
        confidence: Simultaneous confidence of all comparisons.
    """
    from scipy.optimize import brentq

    return float(brentq(lambda d: _together(d, comparisons, freedom) - confidence, 0.0, WIDEST))


def _together(d: float, comparisons: int, freedom: int) -> float:
    """Return the probability, under equal means, that none exceeds the one by more than `d` standard errors."""
    from scipy.special import gammaln, ndtr

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    z = 8 * nodes
    spread = 1 + 8 / np.sqrt(2 * freedom) * nodes  # estimated over true standard deviation
    keep = spread > 0
    s, step = spread[keep], weights[keep] * 8 / np.sqrt(2 * freedom)
    half = freedom / 2
    density = np.exp(np.log(2) + half * np.log(half) - gammaln(half) + (freedom - 1) * np.log(s) - half * s**2)
    normal = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * weights * 8
    inner = (ndtr(z[None] + np.sqrt(2) * d * s[:, None]) ** comparisons) @ normal
    return float((inner * density * step).sum())
