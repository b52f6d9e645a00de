import pytest
import torch
import torch.nn.functional as F

from audit.instruments.local_statistics import (
    active,
    common_share,
    lecture_contrast_norm,
    local_statistics,
    on_floor,
    scale_spread,
)
from multistage import LocalContrastNorm
from multistage.layers import local_contrast_norm
from multistage.layers.contrast_norm import gaussian_window


def maps(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("across_maps", [False, True])
@pytest.mark.parametrize("kernel_size", [3, 7])
def test_local_statistics_are_weighted_means_and_deviations_of_each_window(kernel_size, across_maps):
    x = maps(2, 3, 9, 8)
    mean, deviation = local_statistics(x, kernel_size, across_maps)
    window = gaussian_window(kernel_size)
    weights = torch.outer(window, window)
    for row in range(9 - kernel_size + 1):
        for column in range(8 - kernel_size + 1):
            field = x[:, :, row : row + kernel_size, column : column + kernel_size]
            shares, over = (weights / 3, (1, 2, 3)) if across_maps else (weights, (2, 3))
            m = (shares * field).sum(over, keepdim=True)
            s = (shares * (field - m) ** 2).sum(over).sqrt()
            torch.testing.assert_close(mean[:, :, row, column].squeeze(), m.squeeze())
            torch.testing.assert_close(deviation[:, :, row, column].squeeze(), s.squeeze())


def test_local_statistics_of_a_flat_map_are_its_value_and_0_however_large_it_is():
    mean, deviation = local_statistics(torch.full((1, 2, 12, 12), 1e4), 7)
    torch.testing.assert_close(mean, torch.full_like(mean, 1e4))
    assert deviation.max() == 0


def test_a_window_larger_than_the_map_has_no_place():
    with pytest.raises(ValueError, match="kernel_size=9 exceeds its 8x12 map"):
        local_statistics(maps(1, 1, 8, 12), 9)


@pytest.mark.parametrize("kernel_size", [7, 9])
def test_on_the_floor_contrast_normalisation_divides_by_the_mean_of_sigma_and_elsewhere_by_sigma(kernel_size):
    x = maps(2, 3, 14, 15) + 1
    window = gaussian_window(kernel_size)
    weights = torch.outer(window, window).expand(1, 3, -1, -1) / 3
    v = x - F.conv2d(x, weights, padding=kernel_size // 2)
    sigma = F.conv2d(v**2, weights, padding=kernel_size // 2).sqrt()
    divisor = torch.where(on_floor(x, kernel_size), sigma.mean((2, 3), keepdim=True), sigma)
    torch.testing.assert_close(local_contrast_norm(x, kernel_size), v / divisor)


def test_half_the_positions_are_on_the_floor_where_half_of_a_sample_is_flat():
    x = torch.zeros(1, 1, 200, 40, dtype=torch.float64)
    x[:, :, :100] = (-1.0) ** torch.arange(40)
    assert on_floor(x).double().mean() == pytest.approx(0.5, abs=0.03)


def test_on_one_map_the_lecture_and_the_paper_differ_in_nothing_but_the_floor():
    x = maps(2, 1, 20, 20)
    torch.testing.assert_close(lecture_contrast_norm(x, 9, floor=0.0), local_contrast_norm(x, 9, floor=0.0))
    torch.testing.assert_close(lecture_contrast_norm(x, 7, floor=0.3), local_contrast_norm(x, 7, floor=0.3))


def test_the_lecture_s_formula_is_its_sums_written_out():
    """Over all maps, with one window whose weights sum to one by themselves."""
    x = maps(2, 3, 11, 10)
    window = gaussian_window(7)
    weights = torch.outer(window, window).expand(1, 3, -1, -1)
    assert weights[0, 0].sum() == pytest.approx(1)
    v = x - F.conv2d(x, weights, padding=3)
    sigma = F.conv2d(v**2, weights, padding=3).sqrt()
    torch.testing.assert_close(lecture_contrast_norm(x, floor=0.4), v / sigma.clamp_min(0.4))


def test_what_maps_have_in_common():
    one = maps(2, 1, 8, 8)
    torch.testing.assert_close(common_share(one.expand(-1, 4, -1, -1)), torch.ones(2).double())
    torch.testing.assert_close(common_share(torch.cat([one, -one], 1)), torch.zeros(2).double())
    apart = torch.zeros(1, 4, 2, 2)
    apart[0, torch.arange(4), [0, 0, 1, 1], [0, 1, 0, 1]] = 3.0
    torch.testing.assert_close(common_share(apart), torch.tensor([0.25]))


def test_scales_are_compared_in_octaves():
    one = maps(1, 2, 5, 5)
    assert scale_spread(torch.cat([one, -one])) == pytest.approx(0)
    assert scale_spread(torch.cat([one, 2 * one, 4 * one])) == pytest.approx(1)


def test_active_units_are_the_largest_away_from_the_border():
    x = torch.zeros(2, 9, 11)
    x[0, 0, 0], x[0, 4, 7], x[1, 2, 3] = 9.0, 5.0, 7.0
    assert active(x, 2).tolist() == [[0, 4, 7], [1, 2, 3]]


def test_local_mean_and_deviation_after_contrast_normalisation_of_noise_are_near_0_and_1():
    """Noise of one strength everywhere; the deviation about N's own local means is exactly 1 off the floor."""
    x = maps(1, 32, 60, 60)
    y = LocalContrastNorm(9)(x)
    mean, deviation = local_statistics(y[:, :, 8:-8, 8:-8], 9, across_maps=True)
    assert mean.abs().max() < 0.1
    assert deviation.mean() == pytest.approx(1, abs=0.05)
