import numpy as np
import pytest
import torch
import torch.nn.functional as F
from layers import reference

from audit.speed.baselines import (
    DenseContrastNorm,
    LoopedContrastNorm,
    Torch7ContrastNorm,
    UnfoldedContrastNorm,
    plain_network,
    plain_stage,
    plain_training,
)
from multistage import MultiStageNet
from multistage.layers import LocalContrastNorm, local_contrast_norm
from multistage.network.shapes import StageGeometry
from multistage.operations import Operations

STAGES = [StageGeometry(6, 3, 4, 2), StageGeometry(8, 3, 2, 1, fan_in=3)]


def network(**options):
    net = MultiStageNet((1, 18, 16), 5, STAGES, **options)
    for bank in net.filter_banks:
        torch.nn.init.uniform_(bank.gain, 0.5, 2)
    return net


def images(n=7):
    return torch.randn(n, 1, 18, 16, generator=torch.Generator().manual_seed(0))


def test_the_dense_form_is_the_layer_in_values_and_gradient():
    x, dy = torch.randn(2, 2, 5, 11, 13, dtype=torch.float64).unbind()
    x.requires_grad_()
    ours, dense = local_contrast_norm(x), DenseContrastNorm(5).double()(x)
    torch.testing.assert_close(dense, ours, rtol=1e-5, atol=1e-6)  # the window is kept in float32
    gradients = [torch.autograd.grad(y, x, dy)[0] for y in (dense, ours)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def test_the_dense_form_has_a_finite_gradient_where_images_are_flat():
    x = torch.zeros(1, 3, 12, 12)
    x[..., :3] = torch.randn(1, 3, 12, 3)
    x.requires_grad_()
    DenseContrastNorm(3)(x).square().sum().backward()
    assert x.grad.isfinite().all()


def test_torch7s_form_is_its_own_definition():
    x = torch.randn(2, 3, 10, 12)
    x[1, :, :, 4:] = 0  # deviations below the threshold
    window, ones = reference.gaussian(9), np.ones((3, 10, 12))
    coefficient = reference.local_mean(ones, window, "zero")
    expected = np.zeros(x.shape)
    for n, maps in enumerate(x.double().numpy()):
        v = maps - reference.local_mean(maps, window, "zero") / coefficient
        deviation = np.sqrt(reference.local_mean(v**2, window, "zero")) / coefficient
        expected[n] = v / np.where(deviation > 1e-4, deviation, 1e-4)
    np.testing.assert_allclose(Torch7ContrastNorm(3)(x), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(expected - local_contrast_norm(x).numpy()).max() > 0.1


def test_the_unfolded_form_is_the_preset_of_stereo():
    x = torch.randn(2, 1, 12, 14, dtype=torch.float64)
    y, _, deviation = LocalContrastNorm.active_stereo()(x)
    for ours, unfolded in zip((y, deviation), UnfoldedContrastNorm()(x), strict=True):
        torch.testing.assert_close(unfolded, ours)


def test_the_loop_takes_each_map_by_itself():
    x = torch.randn(2, 3, 12, 14)
    torch.testing.assert_close(LoopedContrastNorm()(x), local_contrast_norm(x, across_maps=False), rtol=1e-4, atol=1e-5)


def test_the_plain_network_gives_the_same_loss_and_learns_the_same():
    net = network()
    plain, x, y = plain_network(net), images(), torch.tensor([0, 1, 2, 3, 4, 0, 1])
    losses = [F.cross_entropy(form(x), y) for form in (net, plain)]
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-6)
    for loss in losses:
        loss.backward()
    for ours, theirs in zip(net.filter_banks, (plain[0].filter_bank, plain[1].filter_bank), strict=True):
        torch.testing.assert_close(theirs.gain.grad, ours.gain.grad, rtol=1e-3, atol=1e-6)
    bank = net.filter_banks[1]
    for out_map, row in enumerate(bank.connections):
        expected = torch.zeros(6, 3, 3)
        expected[row] = bank.kernels.grad[out_map].flip(-2, -1)
        torch.testing.assert_close(plain[1].filter_bank.weights.grad[out_map], expected, rtol=1e-3, atol=1e-6)


def test_plain_training_goes_through_all_images_and_learns():
    plain = plain_network(network())
    y = torch.arange(7) % 5
    first = plain_training(plain, (images(), y), batch_size=3, lr=0.01, momentum=0)
    assert len(first) == 3
    for _ in range(30):
        last = plain_training(plain, (images(), y), batch_size=3, lr=0.01, momentum=0)
    assert sum(last) < sum(first) / 2


def test_a_stage_without_plain_form_is_refused():
    with pytest.raises(ValueError, match=r"pool has no plain form: MaxPool.*; expected parts of model=abs_lcn_avgpool"):
        plain_stage(network(operations=Operations(pool="max")).stages[0])
