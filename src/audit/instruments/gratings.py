"""Gratings: the one that drives a unit most, and the peak of a filter's spectrum.

Saxe et al. (ICML 2011) show for circular convolution and square pooling that a grating is the best input of given
energy, at the peak of the filter's spectrum. Here frequencies are those of a discrete spectrum, one of each pair (f,
-f); they cover every orientation up to the corners of the square.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from multistage.network.randomness import generator

PHASES = tuple(math.pi * step / 4 for step in range(4))
"""Phases over which responses are averaged, radians at the first pixel."""


def frequencies(number: int) -> Tensor:
    """Return one of each pair (f, -f) of a spectrum, without 0, cycles a pixel, float64 [n, 2]: row, column.

    Args:
        number: Number along each axis; odd, so that none is its own alias.
    """
    axis = torch.fft.fftfreq(number, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    rows, columns = grid.unbind(1)
    return grid[(columns > 0) | ((columns == 0) & (rows > 0))]


def gratings(chosen: Tensor, side: int, phase: float) -> Tensor:
    """Make gratings of root mean square 1.

    Args:
        chosen: Frequencies, cycles a pixel, [n, 2]: row, column.
        side: Side of the images, pixels.
        phase: Phase at the first pixel, radians.

    Returns:
        float32 [n, 1, side, side].
    """
    place = torch.arange(side, dtype=torch.float64)
    rows, columns = chosen[:, 0, None, None], chosen[:, 1, None, None]
    waves = torch.cos(2 * math.pi * (rows * place[:, None] + columns * place) + phase)
    return (waves / waves.square().mean((1, 2), keepdim=True).sqrt()).float()[:, None]


def amplitude(filters: Tensor, chosen: Tensor) -> Tensor:
    """Compute the amplitude of filters' spectra at given frequencies.

    Args:
        filters: [maps, height, width].
        chosen: Frequencies, cycles a pixel, [n, 2].

    Returns:
        float64 [maps, n].
    """
    rows, columns = (torch.arange(size, dtype=torch.float64) for size in filters.shape[1:])
    turns = chosen[:, 0, None, None] * rows[:, None] + chosen[:, 1, None, None] * columns
    waves = torch.polar(torch.ones_like(turns), -2 * math.pi * turns).flatten(1)
    return (filters.detach().double().flatten(1).to(waves.dtype) @ waves.T).abs()


@torch.inference_mode()
def responses(units: Callable[[Tensor], Tensor], chosen: Tensor, side: int, batch: int = 64) -> Tensor:
    """Compute responses to gratings, the mean over phases.

    Args:
        units: From images [n, 1, side, side] to responses [n, units].
        chosen: Frequencies, cycles a pixel, [n, 2].
        side: Of the images, pixels.
        batch: Images at a time.

    Returns:
        [units, n].
    """
    found = [
        torch.stack([units(gratings(some, side, phase)) for phase in PHASES]).mean(0)
        for some in torch.split(chosen, batch)
    ]
    return torch.cat(found).T


def orientation(chosen: Tensor) -> Tensor:
    """Return the direction across the bars of gratings with frequencies [n, 2], radians in [0, pi): [n]."""
    return torch.atan2(chosen[:, 0], chosen[:, 1]).remainder(math.pi)


def circular_correlation(a: Tensor, b: Tensor) -> float:
    """Compute the correlation of two lists of orientations, from -1 to 1; it does not need their means.

    Over all pairs of items i < j, with angles doubled because orientations repeat after 180 degrees:

        sum sin(2 a_i - 2 a_j) sin(2 b_i - 2 b_j) / sqrt(sum sin^2(2 a_i - 2 a_j) sum sin^2(2 b_i - 2 b_j))

    Args:
        a: Radians, [n].
        b: Radians, [n].

    Source: Fisher & Lee, Biometrika 1983.
    """
    one, other = ((2 * (angle[:, None] - angle)).sin() for angle in (a.double(), b.double()))
    return float((one * other).sum() / (one.square().sum() * other.square().sum()).sqrt())


def resampled(
    statistic: Callable[[Tensor, Tensor], float], a: Tensor, b: Tensor, times: int = 1000
) -> tuple[float, float]:
    """Compute the 95 % bootstrap interval of a statistic of pairs (percentiles).

    Args:
        statistic: Function of two lists.
        a: [n].
        b: [n].
        times: Number of resamples, each of n pairs with replacement.
    """
    random = generator(0, "bootstrap")
    choices = (torch.randint(len(a), (len(a),), generator=random) for _ in range(times))
    values = torch.tensor([statistic(a[chosen], b[chosen]) for chosen in choices], dtype=torch.float64)
    low, high = values.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high


def correlation(a: Tensor, b: Tensor) -> float:
    """Compute Pearson's correlation of two lists [n]."""
    return float(torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1])
