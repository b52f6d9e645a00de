import pytest
import torch

from audit.instruments.pooling_gradient import gradient, shares
from multistage.layers import average_pool, max_pool


def noise(side=30, seed=0):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("window", "step"), [(2, 2), (5, 5), (10, 5), (6, 4)])
def test_the_maximum_gives_all_to_the_winner_and_the_mean_the_same_to_each(window, step):
    of_max = shares(lambda x: max_pool(x, window, step), noise(), window, step)
    assert of_max.winners == 1
    assert set(of_max.reached.tolist()) == set(of_max.total.tolist()) == {1}
    of_mean = shares(lambda x: average_pool(x, window, step), noise(), window, step)
    assert of_mean.winners == 0
    assert set(of_mean.reached.tolist()) == {window**2}
    torch.testing.assert_close(of_mean.largest, torch.full_like(of_mean.largest, 1 / window**2))


def test_a_pooling_that_gives_to_the_smallest_has_no_winners():
    assert shares(lambda x: -max_pool(-x, 3), noise(), 3, 3).winners == 0


def test_overlapping_windows_add_up():
    x = noise(20)
    assert gradient(lambda x: average_pool(x, 10, 5), x)[..., 5:15, 5:15].min() == pytest.approx(4 / 100)


def test_gradient_leaves_its_input_alone():
    x = noise(4)
    assert torch.equal(gradient(lambda x: 3 * x, x), torch.full_like(x, 3))
    assert torch.equal(gradient(lambda x: 3 * x, x, x), 3 * x)
    assert not x.requires_grad
