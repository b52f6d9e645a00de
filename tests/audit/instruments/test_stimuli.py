import math

import pytest
import torch
from torch import nn

from audit.instruments.stimuli import CentralUnits, climb, shift_tolerance
from multistage import AveragePool, FilterBank, LocalContrastNorm, Rectify


def stage(*parts, maps=5, squash="none"):
    torch.manual_seed(0)
    return nn.Sequential(FilterBank(1, maps, 5, squash=squash), *parts).requires_grad_(False)


def test_central_units_are_those_in_the_middle_of_each_map():
    maps = torch.randn(2, 3, 5, 7)
    assert torch.equal(CentralUnits(nn.Identity())(maps), maps[:, :, 2, 3])


def test_the_optimal_stimulus_of_a_linear_unit_is_its_filter():
    """Flipped, as units convolve; scaled to the energy of the image, which nothing outside the field shares."""
    bank = stage()
    found = climb(CentralUnits(bank), side=7, steps=150)
    expected = torch.zeros(5, 1, 7, 7)
    expected[..., 1:6, 1:6] = bank[0].kernels.flip(-2, -1)
    expected /= expected.square().mean((1, 2, 3), keepdim=True).sqrt()
    torch.testing.assert_close(found.images, expected, atol=0.02, rtol=0)
    best = 7 * bank[0].kernels.square().sum((1, 2, 3)).sqrt()
    torch.testing.assert_close(found.responses, best, rtol=1e-3, atol=0)


def test_the_optimal_stimulus_of_pooled_squares_is_the_first_eigenvector_of_their_quadratic_form():
    class Square(nn.Module):
        def forward(self, x):
            return x.square()

    units = CentralUnits(stage(Square(), AveragePool(2, 2)))
    found = climb(units, side=6, steps=150)
    basis = torch.eye(36).reshape(36, 1, 6, 6)
    responses = stage()(basis).flatten(2)  # [36, maps, 4]: linear
    for map_ in range(5):
        best = 36 * torch.linalg.eigvalsh(responses[:, map_] @ responses[:, map_].T / 4)[-1]
        assert found.responses[map_] == pytest.approx(best.item(), rel=0.02)


def test_images_keep_their_energy_and_responses_rise():
    units = CentralUnits(stage(Rectify(), LocalContrastNorm(5), AveragePool(4, 3), squash="tanh"))
    found = climb(units, side=17, steps=15)
    torch.testing.assert_close(found.images.square().mean((1, 2, 3)), torch.ones(5))
    assert (found.responses > found.start).all()
    again = climb(units, side=17, steps=15)
    assert torch.equal(found.images, again.images)
    other = climb(units, side=17, steps=15, seed=1)
    assert not torch.equal(found.images, other.images)


def test_a_unit_that_sees_nothing_stays_where_it_is():
    bank = stage()
    nn.init.zeros_(bank[0].kernels)
    found = climb(CentralUnits(bank), side=7, steps=3)
    assert (found.responses == 0).all()
    torch.testing.assert_close(found.images.square().mean((1, 2, 3)), torch.ones(5))


def test_a_unit_that_sees_everything_does_not_mind_shifts_and_one_that_sees_a_pixel_does():
    image = torch.zeros(1, 1, 9, 9)
    image[..., 4, 4] = 1

    class Sum(nn.Module):
        def forward(self, x):
            return x.sum((2, 3))

    assert shift_tolerance(Sum(), image, 3).tolist() == [[1, 1, 1, 1]]
    assert shift_tolerance(CentralUnits(nn.Identity()), image, 3).tolist() == [[1, 0, 0, 0]]
    corner = torch.zeros(1, 1, 9, 9)
    corner[..., 0, 0] = 1
    assert shift_tolerance(Sum(), corner, 2).tolist() == [
        [1, 0.5, 0.5]
    ]  # zeros come in; two of four directions lose it


def test_shifting_a_grating_by_one_pixel_changes_a_unit_by_the_cosine():
    """In place along its bars (two of the directions), by a cosine across them."""
    wave = torch.cos(2 * math.pi * torch.arange(-10.0, 11) / 8).expand(1, 1, 21, -1)
    tolerance = shift_tolerance(CentralUnits(nn.Identity()), wave, 2)
    expected = [(2 + 2 * math.cos(2 * math.pi * shift / 8)) / 4 for shift in range(3)]
    torch.testing.assert_close(tolerance, torch.tensor([expected]))
