import math

import pytest
import torch
from torch import nn

from audit.instruments.activations import Course, before_pooling, follow, train_and_follow
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.train.restore import make_network


def batches(n=4):
    random = torch.Generator().manual_seed(0)
    return [
        (3 + 2 * torch.randn(16, 1, 6, 6, generator=random), torch.randint(3, (16,), generator=random))
        for _ in range(n)
    ]


def small(part):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 5, 3), part, nn.Flatten(), nn.Linear(80, 3))


def test_means_and_deviations_are_those_of_every_mini_batch_before_its_step():
    net, part = small(nn.Identity()), 0
    made = torch.optim.SGD(net.parameters(), lr=0.1)
    with torch.no_grad():
        maps = net[part](batches()[0][0]).double()
        loss = nn.functional.cross_entropy(net(batches()[0][0]), batches()[0][1])
    course = follow(net, net[part], batches(), made)
    assert course.means.shape == course.deviations.shape == (4, 5)
    torch.testing.assert_close(course.means[0], maps.mean((0, 2, 3)))
    torch.testing.assert_close(course.deviations[0], maps.transpose(0, 1).flatten(1).std(1, correction=0))
    torch.testing.assert_close(course.losses[0].float(), loss)
    assert (course.shifts == 0).all()
    assert (course.scales == 1).all()


def test_batch_normalisation_gives_mean_0_and_deviation_1_before_its_shift_and_scale_however_these_are_learned():
    net = small(nn.BatchNorm2d(5, eps=1e-9))
    nn.init.uniform_(net[1].weight, 0.5, 2)
    nn.init.uniform_(net[1].bias, -1, 1)
    course = follow(net, net[1], batches(), torch.optim.SGD(net.parameters(), lr=0.1))
    means, deviations = course.standardised
    torch.testing.assert_close(means, torch.zeros_like(means), atol=1e-5, rtol=0)
    torch.testing.assert_close(deviations, torch.ones_like(means), atol=1e-5, rtol=0)
    assert not torch.equal(course.scales[0], course.scales[-1])
    assert course.means.abs().max() > 0.1


def test_following_is_training():
    nets = [small(nn.Identity()) for _ in range(2)]
    follow(nets[0], nets[0][0], batches(), torch.optim.SGD(nets[0].parameters(), lr=0.1))
    made = torch.optim.SGD(nets[1].parameters(), lr=0.1)
    for x, y in batches():
        made.zero_grad()
        nn.functional.cross_entropy(nets[1](x), y).backward()
        made.step()
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("model", composition.names("model"))
def test_the_part_before_pooling_gives_what_is_pooled(model, plan):
    net = make_network(parse(plan(f"model={model}").config), 10)
    part = before_pooling(net)
    seen = []
    part.register_forward_hook(lambda module, inputs, output: seen.append(output))
    net.stages[0].pool.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    net.features(torch.randn(2, 1, 28, 28))
    assert torch.equal(*seen)


def test_a_run_is_followed_on_its_own_mini_batches_at_its_full_rate(plan):
    config = plan("data.batch_size=8", "optimizer.lr=0.03").config
    dataset = parse(config).data.load()
    one, other = (train_and_follow(config, dataset, 25) for _ in range(2))
    assert len(one.losses) == 25
    assert torch.equal(one.losses, other.losses)
    assert one.late_loss == pytest.approx(one.losses[15:].mean().item())
    faster = train_and_follow({**config, "optimizer.lr": 0.06}, dataset, 25)
    assert one.losses[0] == faster.losses[0]
    assert one.losses[1] != faster.losses[1]


def test_a_loss_that_is_no_number_counts_as_infinite():
    nothing = torch.zeros(12, 1)
    losses = torch.tensor([1.0] * 11 + [math.nan])
    assert Course(losses, nothing, nothing, nothing, nothing).late_loss == math.inf
