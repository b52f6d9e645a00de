"""Detect localised and oriented filters, compared with random ones.

Two scores from 0 to 1 do not depend on sign and scale. `gabor_share` is the part of a filter that one Gabor explains;
it is high for a blob too. `selectivity` measures how much of the spectrum has one orientation; it is high for a grating
too. A filter is localised and oriented if both exceed the scores of random filters.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from multistage.network.randomness import generator

RANDOM, PERCENTILE = 1000, 99
"""A score is high above this percentile of this many random filters, uniform in +-1."""

ORIENTATIONS, WAVELENGTHS, CENTRES = 16, 8, 7
"""Grid of Gabors: angles over 180 degrees, wavelengths from 2.5 pixels to 1.5 sides, centres in the middle 2/3."""

WIDTHS = (0.12, 0.18, 0.27, 0.4)
"""Standard deviations of its envelope, in sides; along the bars at least as wide as across them."""

SPECTRUM = 32
"""Frequencies along each axis of a spectrum; filters are zero-padded."""


def are_oriented(filters: Tensor) -> Tensor:
    """Return which filters [n, size, size] are localised and oriented, bool [n]."""
    share, selective = thresholds(filters.shape[-1])
    return (gabor_share(filters) > share) & (selectivity(filters) > selective)


@lru_cache
def thresholds(size: int) -> tuple[float, float]:
    """Return thresholds that `gabor_share` and `selectivity` of random filters [size, size] seldom exceed."""
    random = torch.rand(RANDOM, size, size, generator=generator(0, "orientation")) * 2 - 1
    share, selective = (score(random).quantile(PERCENTILE / 100).item() for score in (gabor_share, selectivity))
    return share, selective


def gabor_share(filters: Tensor) -> Tensor:
    """Return the fraction of the variance of filters [n, size, size] that the best Gabor explains, [n].

    Centre, orientation, wavelength and envelope are the best on a grid (most Gabors between its points reach 0.9);
    phase and amplitude are exact, by linear least squares. Means are ignored; a constant filter gets 0.
    """
    waves = _gabors(filters.shape[-1])
    found = []
    for some in torch.split(_centred(filters), 64):
        along = waves @ (some / some.norm(dim=1, keepdim=True).clamp_min(1e-12)).T
        found.append(along.square().sum(0).amax(0))
    return torch.cat(found)


def selectivity(filters: Tensor) -> Tensor:
    """Return the orientation selectivity of the spectra of filters [n, size, size], [n]: 0 for a blob, 1 for a grating.

    It is the magnitude of the mean of exp(2 i angle) over frequencies below half a cycle a pixel, weighted by power.
    """
    size = filters.shape[-1]
    spectra = torch.fft.fft2(_centred(filters).reshape(-1, size, size), s=(SPECTRUM, SPECTRUM))
    frequency = torch.fft.fftfreq(SPECTRUM)
    y, x = frequency[:, None], frequency[None, :]
    power = spectra.abs().square() * (x.hypot(y) < 0.5)
    twice = torch.polar(torch.ones(SPECTRUM, SPECTRUM), 2 * torch.atan2(y, x))
    return (power * twice).sum((1, 2)).abs() / power.sum((1, 2)).clamp_min(1e-12)


def _centred(filters: Tensor) -> Tensor:
    """Return filters as float32 [n, size * size] with mean 0, rescaled so that tiny ones do not underflow."""
    flat = filters.detach().float().flatten(1)
    flat = flat / flat.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    return flat - flat.mean(1, keepdim=True)


@lru_cache(maxsize=2)
def _gabors(size: int) -> Tensor:
    """Return, for each Gabor, two orthonormal vectors of mean 0 that span its phases, [2, gabors, size * size]."""
    centre = torch.linspace(-size / 3, size / 3, CENTRES)
    angle = torch.arange(ORIENTATIONS) * (math.pi / ORIENTATIONS)
    wavelength = 2.5 * (1.5 * size / 2.5) ** (torch.arange(WAVELENGTHS) / (WAVELENGTHS - 1))
    widths = torch.tensor([(across, along) for across in WIDTHS[:-1] for along in WIDTHS if along >= across]) * size
    grid = torch.cartesian_prod(centre, centre, angle, wavelength, torch.arange(float(len(widths))))
    top, left, angle, wavelength = (values[:, None, None] for values in grid[:, :4].unbind(1))
    across, along = (values[:, None, None] for values in widths[grid[:, 4].long()].unbind(1))
    place = torch.arange(size) - (size - 1) / 2
    y, x = place[:, None] - top, place[None, :] - left
    over, beside = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    envelope = torch.exp(-(over / across).square() / 2 - (beside / along).square() / 2)
    phase = 2 * math.pi * over / wavelength
    even, odd = (_centred(envelope * wave) for wave in (phase.cos(), phase.sin()))
    even = even / even.norm(dim=1, keepdim=True)
    odd = odd - (odd * even).sum(1, keepdim=True) * even
    return torch.stack([even, odd / odd.norm(dim=1, keepdim=True)])
