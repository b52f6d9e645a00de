"""Gabor filters for the first stage, and templates of its output for the second; nothing is learned.

Source: paper, section 4, rows G and GT of Table 1. It gives no parameters; DEVIATIONS.md has our choice.
"""

import math

import torch
from torch import Tensor

from multistage.filters.gabor_counts import gabor_counts
from multistage.filters.patches import Patches
from multistage.filters.values import Filters, Site, connected, correlating, of_length

SHORTEST = 3.0
"""Shortest wavelength, pixels; the longest is the side of the filters."""

ENVELOPE = 0.4
"""Standard deviation of the isotropic envelope, in wavelengths."""


def gabor(site: Site) -> Filters:
    """Make Gabor filters for the first stage's bank, templates for the others; all as long as random filters.

    Templates are patches at random places of random training images (drawn with repetition).

    Raises:
        ConfigError: No Gabor bank fits the first stage.
        MultistageError: Images without any structure.
    """
    bank = site.bank
    _, fan_in, size, _ = bank.kernels.shape
    if site.number == 1:
        filters = gabor_bank(bank.out_maps, size)[:, None].expand(-1, fan_in, -1, -1)
    else:
        patches = Patches(site.maps(bank.out_maps), size, site.random("templates"))
        filters = connected(patches.draw(bank.out_maps), bank)
        filters = filters - filters.mean((1, 2, 3), keepdim=True)
    return Filters(correlating(of_length(filters, site.random_length)))


def gabor_bank(maps: int, size: int) -> Tensor:
    """Make a bank of Gabor filters with mean 0 and norm 1, [maps, size, size].

    Orientations are spaced evenly over 180 degrees, wavelengths logarithmically from `SHORTEST` to `size`; each pair
    has an even and an odd phase (cosine and sine). The order is wavelength, orientation, phase.

    Args:
        maps: Number of filters: orientations x wavelengths x two phases, divided by `gabor_counts`.
        size: Side, pixels.

    Raises:
        ConfigError: A number that cannot be divided like this, or a side that is too small.
    """
    orientations, wavelengths = gabor_counts(maps, size)
    angle = (torch.arange(orientations) * (math.pi / orientations))[:, None, None, None]
    wavelength = SHORTEST * (size / SHORTEST) ** ((torch.arange(wavelengths) + 0.5) / wavelengths)
    wavelength = wavelength[:, None, None, None, None]
    place = torch.arange(size) - (size - 1) / 2
    y, x = place[:, None], place[None, :]
    across = 2 * math.pi * (x * angle.cos() + y * angle.sin()) / wavelength  # radians of the wave
    envelope = torch.exp(-(x.square() + y.square()) / (2 * (ENVELOPE * wavelength).square()))
    waves = torch.cat([across.cos(), across.sin()], dim=2)
    waves = waves - (envelope * waves).sum((-1, -2), keepdim=True) / envelope.sum((-1, -2), keepdim=True)
    return of_length((envelope * waves).reshape(maps, size, size), 1.0)
