"""Which places may be the best, with intervals that allow for choosing the best of many.

Multiple comparisons with the best (Hsu, Annals of Statistics 12, 1984; Multiple Comparisons, 1996, chapter 4): how far
each place lies above or below the best of the others, with 95 % confidence for all places together. All were run on the
same draws, which chose none of them. Critical values: Dunnett 1955, one-sided.

Assumed: normal noise of one variance for all places (`variance.noise`).
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
    """A place among those that were measured.

    Attributes:
        place: Which.
        mean: Accuracy in %, over the draws that measure.
        against: How far it lies above (or below) the best of the others, in points: its simultaneous interval.
    """

    place: Place
    mean: float
    against: Interval

    @property
    def may_be_best(self) -> bool:
        """Whether its interval reaches above 0."""
        return self.against[1] > 0


def ranking(measured: Mapping[Place, Sequence[float]], noise: Noise) -> list[Ranked]:
    """Every place with its interval, best first.

    Args:
        measured: Accuracies of at least two places on the same draws.
        noise: Of a run.
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
    """The one-sided critical value of several means against one, all of the same number of values.

    Args:
        comparisons: How many means are compared with it.
        freedom: Degrees of freedom of the variance.
        confidence: That all comparisons hold together.
    """
    from scipy.optimize import brentq

    return float(brentq(lambda d: _together(d, comparisons, freedom) - confidence, 0.0, WIDEST))


def _together(d: float, comparisons: int, freedom: int) -> float:
    """The chance that no mean lies more than `d` standard errors of a difference above the one, all being equal."""
    from scipy.special import gammaln, ndtr

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    z = 8 * nodes
    spread = 1 + 8 / np.sqrt(2 * freedom) * nodes  # of the estimated deviation, in its own unit
    keep = spread > 0
    s, step = spread[keep], weights[keep] * 8 / np.sqrt(2 * freedom)
    half = freedom / 2
    density = np.exp(np.log(2) + half * np.log(half) - gammaln(half) + (freedom - 1) * np.log(s) - half * s**2)
    normal = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * weights * 8
    inner = (ndtr(z[None] + np.sqrt(2) * d * s[:, None]) ** comparisons) @ normal
    return float((inner * density * step).sum())
