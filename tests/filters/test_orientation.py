import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from multistage.filters.gabor import gabor_bank
from multistage.filters.orientation import RANDOM, are_oriented, gabor_share, selectivity, thresholds


def uniform(n, size=9, seed=3):
    return torch.rand(n, size, size, generator=torch.Generator().manual_seed(seed)) - 0.5


def gabors(n=40, size=9, seed=0):
    """Gabors anywhere between the points of the grid: centre, angle, phase, wavelength and widths are random."""
    random = np.random.default_rng(seed)
    filters = []
    for _ in range(n):
        place, angle, wavelength = random.uniform(-2, 2, 2), random.uniform(0, math.pi), random.uniform(3.5, 9)
        widths = sorted(random.uniform(1.2, 3, 2))
        filters.append(one_gabor([*place, angle, wavelength, *widths], size, random.uniform(0, 2 * math.pi)))
    return torch.from_numpy(np.stack(filters)).float()


def one_gabor(parameters, size, phase):
    top, left, angle, wavelength, across, along = parameters
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    over = (x - left) * np.cos(angle) + (y - top) * np.sin(angle)
    beside = (y - top) * np.cos(angle) - (x - left) * np.sin(angle)
    envelope = np.exp(-((over / across) ** 2 + (beside / along) ** 2) / 2)
    return envelope * np.cos(2 * np.pi * over / wavelength + phase)


def blobs(size=9):
    y, x = torch.meshgrid(*[torch.arange(size) - (size - 1) / 2] * 2, indexing="ij")
    radius = x.square() + y.square()
    return torch.stack([torch.exp(-radius / 3) / 3 - torch.exp(-radius / 10) / 10, torch.exp(-radius / 8)])


@pytest.mark.parametrize("size", [5, 9])
def test_the_bank_passes_in_every_filter_and_random_filters_hardly_ever(size):
    bank = gabor_bank(32, size)
    assert gabor_share(bank).min() > 0.9
    assert are_oriented(bank).all()
    assert are_oriented(uniform(500, size)).float().mean() < 0.01


def test_gabors_between_the_points_of_the_grid_score_near_1():
    shares = gabor_share(gabors())
    assert shares.median() > 0.95
    assert (shares > 0.9).float().mean() > 0.8
    assert shares.min() > 0.75
    assert are_oriented(gabors()).float().mean() > 0.9


def test_white_noise_scores_low():
    share, selective = thresholds(9)
    assert gabor_share(uniform(200)).max() < 0.5
    assert share < 0.4
    assert selective < 0.4
    for score, limit in ((gabor_share, share), (selectivity, selective)):
        assert (score(uniform(RANDOM)) > limit).float().mean().item() == pytest.approx(0.01, abs=0.012)


def test_a_blob_is_localised_and_not_oriented():
    assert gabor_share(blobs()).min() > 0.8
    assert selectivity(blobs()).max() < 1e-3
    assert not are_oriented(blobs()).any()


def test_two_orientations_at_once_are_none():
    """Bars and the same bars turned by a quarter."""
    bars = gabor_bank(64, 9)[::2]
    assert selectivity(bars + bars.transpose(-1, -2))[::8].max() < 1e-3


def test_neither_sign_nor_scale_nor_mean_counts():
    filters = torch.cat([uniform(5), gabors(5)])
    for other in (-filters, 1e-6 * filters, 1e6 * filters, filters + 0.25):
        for score in (gabor_share, selectivity):
            torch.testing.assert_close(score(other), score(filters), rtol=1e-3, atol=1e-4)
        assert torch.equal(are_oriented(other), are_oriented(filters))


def test_turning_a_filter_by_a_quarter_changes_nothing():
    filters = uniform(20)
    for score in (gabor_share, selectivity):
        torch.testing.assert_close(score(filters.transpose(-1, -2).flip(-1)), score(filters), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_filter_is_not_oriented(value):
    constant = torch.full((1, 9, 9), value)
    assert gabor_share(constant) == selectivity(constant) == 0
    assert not are_oriented(constant).any()


def test_least_squares_finds_little_that_the_grid_does_not():
    """The best of several starts of scipy's least squares, with phase and amplitude free, beside the grid's best."""
    filters = torch.cat([gabors(1, seed=5), uniform(1)])
    for one, share in zip(filters.double().numpy(), gabor_share(filters).tolist(), strict=True):
        one = (one - one.mean()) / (one.std() * 9)
        assert share == pytest.approx(best_fit(one), abs=0.12)
        assert share < best_fit(one) + 0.02


def best_fit(one):
    def error(parameters):
        pair = np.stack([one_gabor(parameters, 9, phase).ravel() for phase in (0, np.pi / 2)], 1)
        pair -= pair.mean(0)
        return one.ravel() - pair @ np.linalg.lstsq(pair, one.ravel(), rcond=None)[0]

    bounds = [-4, -4, -10, 2.5, 1.08, 1.08], [4, 4, 10, 13.5, 3.6, 3.6]
    starts = [[0.5, 0.5, angle, wavelength, 1.8, 2] for angle in (0, 0.8, 1.6, 2.4) for wavelength in (4, 7)]
    return 1 - min(2 * least_squares(error, start, bounds=bounds).cost for start in starts)
