import math

import numpy as np
import pytest
import torch

from audit.instruments.spatial import correlation, explained


def noise(n=3, side=64, seed=0):
    return torch.randn(n, 1, side, side, generator=torch.Generator().manual_seed(seed))


def test_a_pixel_agrees_with_itself():
    torch.testing.assert_close(correlation(noise(), 0), torch.ones(3))


def test_white_noise_has_no_neighbours():
    for distance in (1, 2, 10):
        assert correlation(noise(), distance).abs().max() < 4 / math.sqrt(2 * 64 * 54)
    assert explained(noise(), 2).max() < 0.02


def test_it_is_numpys_correlation_of_the_pairs():
    x = noise(1, 9)
    grid = x[0, 0].numpy()
    one = np.concatenate([grid[:, :-2].ravel(), grid[:-2].ravel()])
    other = np.concatenate([grid[:, 2:].ravel(), grid[2:].ravel()])
    assert correlation(x, 2).item() == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-6)


def test_a_checkerboard_alternates():
    board = ((torch.arange(8)[:, None] + torch.arange(8)) % 2).float()[None, None]
    assert correlation(board, 1).item() == pytest.approx(-1)
    assert correlation(board, 2).item() == pytest.approx(1)
    assert explained(board, 1).item() == pytest.approx(1)


def test_blurred_noise_is_correlated_as_far_as_the_blur_reaches():
    """Means of 4 x 4 white pixels share 3/4, 2/4, 1/4 and none of them."""
    blurred = torch.nn.functional.avg_pool2d(noise(8, 256), 4, 1)
    for distance, expected in ((1, 0.75), (2, 0.5), (3, 0.25), (4, 0.0)):
        assert correlation(blurred, distance).mean().item() == pytest.approx(expected, abs=0.02)


def test_neither_brightness_nor_contrast_counts():
    torch.testing.assert_close(correlation(3 * noise() + 50, 1), correlation(noise(), 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(explained(3 * noise() + 50, 1), explained(noise(), 1), atol=1e-5, rtol=0)


def test_a_first_order_process_needs_its_nearest_neighbours_only():
    """x_t = a x_{t-1} + noise along rows: both neighbours explain 2 a^2 / (1 + a^2), further ones nothing more."""
    a, rows = 0.9, [noise(1, 400, seed=1)[0, 0][:, 0]]
    white = noise(1, 400, seed=2)[0, 0]
    rows = [white[:, 0] / math.sqrt(1 - a**2)]
    for column in range(1, 400):
        rows.append(a * rows[-1] + white[:, column])
    x = torch.stack(rows, 1)[None, None]
    assert explained(x, 1).item() == pytest.approx(2 * a**2 / (1 + a**2), abs=0.01)
    assert explained(x, 3).item() == pytest.approx(explained(x, 1).item(), abs=0.002)


def test_flat_images_count_as_unrelated():
    flat = torch.full((1, 1, 9, 9), 5.0)
    assert correlation(flat, 1) == explained(flat, 1) == explained(noise(1, 9), 0) == 0
