import math

import pytest
import torch

from audit.instruments.invariance import change, equivariance_error, invariance_error, moved, translation_error
from multistage.layers import FilterBank, average_pool, local_contrast_norm, max_pool


def noise(n=4, side=40, seed=0):
    return torch.randn(n, 1, side, side, generator=torch.Generator().manual_seed(seed))


def bank(maps=6, size=5):
    layer = FilterBank(1, maps, size).requires_grad_(False)
    layer.reset_parameters(0.2, torch.Generator().manual_seed(1))
    return layer


def test_the_scale_of_change():
    a, b = noise(20), noise(20, seed=1)
    assert change(a, a).tolist() == [0] * 20
    torch.testing.assert_close(change(a, b), torch.ones(20), atol=0.1, rtol=0)
    torch.testing.assert_close(change(a, -a), torch.full((20,), math.sqrt(2)), atol=0.1, rtol=0)
    torch.testing.assert_close(change(5 * a, 5 * b), change(a, b))
    assert change(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)) == math.inf


def test_each_map_has_a_mean_of_its_own():
    """Maps far apart that agree within themselves do not make a change look small."""
    far = torch.tensor([0.0, 1000.0])[:, None, None]
    torch.testing.assert_close(
        change(noise().expand(-1, 2, -1, -1) + far, noise(seed=1).expand(-1, 2, -1, -1) + far),
        change(noise(), noise(seed=1)),
        rtol=1e-3,
        atol=0,
    )


def test_the_identity_is_equivariant_and_not_invariant():
    for shift in ((0, 1), (3, 0), (4, 7)):
        assert equivariance_error(lambda x: x, noise(), shift, 8).max() == 0
        assert translation_error(lambda x: x, noise(), shift, 8).min() > 0.9


def test_a_filter_bank_is_equivariant_and_one_whose_filters_are_not_shared_is_not():
    def unshared(x):
        random = torch.Generator().manual_seed(0)
        return x * torch.randn(x.shape[1:], generator=random)

    assert equivariance_error(bank(), noise(), (3, 5), 8).max() < 1e-5
    assert equivariance_error(unshared, noise(), (3, 5), 8).min() > 0.7


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_pooling_is_equivariant_to_multiples_of_its_step(pool):
    def errors(shift):
        return equivariance_error(lambda x: pool(x, 4, 4), noise(), shift, 8, step=4)

    assert max(errors(shift).max() for shift in ((0, 0), (4, 0), (0, 8), (8, 4))) < 1e-6
    assert min(errors(shift).min() for shift in ((1, 0), (0, 2), (3, 3), (4, 5))) > 0.2


def test_borders_can_be_left_out():
    def norm(x):
        return local_contrast_norm(x, 5, floor=0.0)

    assert equivariance_error(norm, noise(), (2, 1), 4).min() > 0.01
    assert equivariance_error(norm, noise(), (2, 1), 4, margin=4).max() < 1e-5


def test_the_absolute_value_is_exactly_invariant_to_sign():
    f = bank()
    assert invariance_error(lambda x: f(x).abs(), noise(), torch.neg).tolist() == [0] * 4
    torch.testing.assert_close(
        invariance_error(f, noise(), torch.neg), torch.full((4,), math.sqrt(2)), atol=0.2, rtol=0
    )


def test_content_moves_down_and_right():
    x = noise(1, 10)
    still, lower = moved(x, (2, 3), 4)
    assert torch.equal(lower[..., 2:, 3:], still[..., :-2, :-3])
    with pytest.raises(ValueError, match="room=4"):
        moved(x, (5, 0), 4)
