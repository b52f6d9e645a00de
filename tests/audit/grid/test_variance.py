"""Shares of variance, against grids whose parts are known."""

import numpy as np
import pytest

from audit.grid.variance import Noise, alike, effects, noise, shares

RECTIFY, NORMALISE, POOL = np.arange(6.0) - 2.5, np.arange(11.0) - 5, np.arange(5.0) - 2


def made(rectify=0.0, normalise=0.0, pool=0.0, product=0.0):
    """A grid with these effects, and a product of rectification and pooling."""
    plain = rectify * RECTIFY[:, None, None] + normalise * NORMALISE[None, :, None] + pool * POOL[None, None]
    return 30 + plain + product * RECTIFY[:, None, None] * POOL[None, None]


def by_name(found):
    return {share.name: share.value for share in found}


def test_shares_are_those_of_the_parts():
    values = made(3, 2, 1, 0.5)
    whole = values.var()
    found = by_name(shares(values, None))
    assert found["rectification"] == pytest.approx(9 * RECTIFY.var() / whole)
    assert found["normalisation"] == pytest.approx(4 * NORMALISE.var() / whole)
    assert found["pooling"] == pytest.approx(POOL.var() / whole)
    assert found["rectification x pooling"] == pytest.approx(0.25 * RECTIFY.var() * POOL.var() / whole)
    assert found["normalisation x pooling"] == pytest.approx(0, abs=1e-12)
    assert sum(found.values()) == pytest.approx(1)


def test_there_is_no_interval_without_noise():
    assert {share.interval for share in shares(made(1), None)} == {None}


def test_noise_is_subtracted_and_makes_intervals_that_hold_the_truth():
    truth, random = by_name(shares(made(1, 1, 0, 0.2), None)), np.random.default_rng(3)
    inside, threefold = [], []
    for _ in range(20):
        found = shares(made(1, 1, 0, 0.2) + random.normal(0, 1, (6, 11, 5)), Noise(1.0, 100), repeats=200)
        inside += [share.interval[0] - 1e-9 <= truth[share.name] <= share.interval[1] + 1e-9 for share in found]
        threefold.append(found[-1].value)
    assert np.mean(inside) > 0.85
    assert np.mean(threefold) < 0.03  # noise alone would be a tenth of the variance


def test_noise_is_what_cells_and_draws_leave():
    random = np.random.default_rng(0)
    cells, draws = random.normal(0, 20, (200, 1)), np.array([[0.0, 5.0, -3.0, 9.0]])
    values = cells + draws + random.normal(0, 0.7, (200, 4))
    found = noise(dict(enumerate(values.tolist())))
    assert found.freedom == 199 * 3
    assert found.variance == pytest.approx(0.49, rel=0.15)


@pytest.mark.parametrize("measured", [{}, {"a": [1.0, 2.0]}, {"a": [1.0], "b": [2.0]}])
def test_one_cell_or_one_draw_says_nothing_about_noise(measured):
    assert noise(measured) is None


def test_effects_are_means_of_levels_within_each_level_of_another_factor():
    values = made(3, 2, 1, product=0.5)
    by_pooling = effects(values, 0, 2)
    assert by_pooling == pytest.approx(3 * RECTIFY[:, None] + 0.5 * RECTIFY[:, None] * POOL)
    assert by_pooling.mean(1) == pytest.approx(3 * RECTIFY)
    assert effects(values, 1, 2) == pytest.approx(np.repeat(2 * NORMALISE[:, None], 5, axis=1))
    assert effects(values, 2, 0) == pytest.approx(POOL[:, None] + 0.5 * POOL[:, None] * RECTIFY)


def test_levels_that_differ_by_less_than_noise_are_named():
    values = made(3, 0.5, 2)
    values[:, 4] = values[:, 3] + 0.1  # two levels of normalisation
    ((axis, one, other, size),) = alike(values, Noise(0.02, 100))
    assert (axis, one, other) == (1, 3, 4)
    assert size == pytest.approx(0.1)
