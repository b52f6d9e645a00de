"""Gabor filters for the first stage, and templates of what it makes of images for the second; nothing is learned.

Source: paper, section 4, rows G and GT of Table 1. It gives no parameters; DEVIATIONS.md says which were chosen.
"""

import math

import torch
from torch import Tensor

from multistage.filters.gabor_counts import gabor_counts
from multistage.filters.patches import Patches
from multistage.filters.values import Filters, Site, connected, correlating, of_length

SHORTEST = 3.0
"""Wavelengths lie between this and the side of the filters, pixels."""

ENVELOPE = 0.4
"""Standard deviation of the envelope, wavelengths; the same in all directions."""


def gabor(site: Site) -> Filters:
    """Gabor filters for the first stage's bank, templates for the others'; all as long as random filters are.

    Templates come from random places of as many random training images as there are, some from the same one.

    Raises:
        ConfigError: A first stage that no Gabor bank fits.
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
    """A bank of Gabor filters of mean 0 and length 1, [maps, size, size].

    Orientations divide half a turn evenly, wavelengths the octaves from `SHORTEST` to `size`; each pair of them comes
    in even and odd phase (cosine and sine). The order is wavelength, orientation, phase.

    Args:
        maps: How many: orientations x wavelengths x two phases, as `gabor_counts` divides them.
        size: Side, pixels.

    Raises:
        ConfigError: A number that cannot be divided so, or a side that is too small.
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
