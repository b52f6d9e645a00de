import pytest
import torch

from audit.instruments.local_connectivity import LocallyConnected, Setting, make, shifted, trial
from multistage import FilterBank


def images(n=4, side=9):
    return torch.randn(n, 1, side, side, generator=torch.Generator().manual_seed(0))


def test_with_the_same_filter_everywhere_it_is_a_filter_bank():
    bank = FilterBank(1, 3, 4)
    torch.nn.init.uniform_(bank.gain, 0.5, 2)
    local = LocallyConnected(9, 3, 4)
    local.weights.data.copy_(bank.kernels.detach().flatten(1).T.expand_as(local.weights))
    local.gain.data.copy_(bank.gain.detach())
    torch.testing.assert_close(local(images()), bank(images()))


def test_a_weight_acts_at_its_position_only():
    local = LocallyConnected(9, 2, 4)
    before = local(images())
    with torch.no_grad():
        local.weights[7, :, 1] += 1
    changed = local(images()) != before
    assert changed[:, 1, 1, 1].all()  # the eighth of 6 x 6 positions
    assert changed.sum() == 4


def test_sharing_leaves_as_many_units_and_a_position_s_share_of_the_filters():
    shared, local = (make(12, 5, sharing, Setting(), seed=3) for sharing in (True, False))
    x = images(2, 12)
    assert shared[0](x).shape == local[0](x).shape == (2, Setting().maps, 8, 8)
    assert local[0].weights.numel() == 64 * shared[0].kernels.numel()
    assert torch.equal(shared[-1].weight, local[-1].weight)
    assert local[0].weights.abs().max() <= 0.2
    assert local[0].weights.std().item() == pytest.approx(0.2 / 3**0.5, rel=0.05)


def test_images_are_shifted_by_whole_pixels_and_their_border_is_repeated():
    x = torch.arange(2 * 2 * 6 * 5).reshape(2, 2, 6, 5)
    random = torch.Generator().manual_seed(1)
    found = shifted(x, 3, random)
    down, right = torch.randint(-3, 4, (2, 2), generator=torch.Generator().manual_seed(1))[0].tolist()
    for row in range(6):
        for column in range(5):
            source = min(max(row - down, 0), 5), min(max(column - right, 0), 4)
            assert torch.equal(found[0, :, row, column], x[0, :, source[0], source[1]])
    assert torch.equal(shifted(x, 0, random), x)


def test_shifts_reach_as_far_as_they_may_in_every_direction_and_no_further():
    dot = torch.zeros(400, 1, 9, 9)
    dot[:, :, 4, 4] = 1
    places = shifted(dot, 2, torch.Generator().manual_seed(0)).nonzero()[:, 2:]
    assert {tuple(place) for place in places.tolist()} == {(r, c) for r in range(2, 7) for c in range(2, 7)}


@pytest.mark.parametrize("sharing", [True, False])
def test_a_trial_learns_to_tell_bars_apart(sharing):
    random = torch.Generator().manual_seed(0)
    x = torch.zeros(120, 1, 10, 10)
    x[:60, :, 5], x[60:, :, :, 5] = 2.0, 2.0
    x += 0.3 * torch.randn(x.shape, generator=random)
    y = torch.arange(120) // 60
    setting = Setting(maps=4, epochs=10)
    net = make(10, 2, sharing, setting, seed=0)
    assert trial(net, (x[::2], y[::2]), (x[1::2], y[1::2]), setting, seed=0) == 1
    assert trial(net, (x, y), (x, 1 - y), Setting(epochs=0), seed=0) == 0
