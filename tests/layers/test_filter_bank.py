import numpy as np
import pytest
import scipy.signal
import torch
from layers import reference
from layers.cases import drawn

from multistage.layers import FilterBank, filter_bank

EVERY = torch.tensor([[0, 1, 2]] * 4)
SOME = torch.tensor([[0, 2], [1, 0], [2, 1], [0, 1]])
TWICE = torch.tensor([[0, 0], [1, 2], [2, 2], [1, 1]])


def test_the_lectures_example_is_exact():
    image = torch.tensor([[0.0, 80, 40], [20, 40, 0], [0, 0, 40]])
    kernel = torch.tensor([[0, 0.25], [0.5, 1]])
    y = filter_bank(image[None, None], kernel[None, None], squash="none")
    assert y[0, 0].tolist() == [[45, 110], [40, 40]]


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("squash", ["tanh", "none"])
@pytest.mark.parametrize("gain", [None, drawn(4, seed=1)], ids=["no gain", "gain"])
@pytest.mark.parametrize("bias", [None, drawn(4, seed=2)], ids=["no bias", "bias"])
@pytest.mark.parametrize("connections", [EVERY, SOME, TWICE], ids=["every", "some", "twice"])
def test_equals_the_definition(connections, bias, gain, squash, padding):
    kernels = drawn(4, connections.shape[1], 3, 3, seed=3) / 3
    options = {"gain": gain, "bias": bias, "squash": squash, "padding": padding}
    reference.assert_is_filter_bank(filter_bank, drawn(2, 3, 5, 7), kernels, connections, **options)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_equals_scipys_convolution_summed_over_maps(size):
    x, kernels = drawn(2, 3, 6, 5), drawn(4, 3, size, size, seed=1)
    y = filter_bank(x, kernels, squash="none")
    expected = [
        [sum(scipy.signal.convolve2d(x[n, i], kernels[j, i], mode="valid") for i in range(3)) for j in range(4)]
        for n in range(2)
    ]
    np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=1e-12)


def test_without_a_table_every_map_is_connected_in_order():
    x, kernels = drawn(2, 3, 6, 5), drawn(4, 3, 3, 3, seed=1)
    assert torch.equal(filter_bank(x, kernels), filter_bank(x, kernels, connections=EVERY))


def test_only_connected_kernels_are_parameters():
    # the paper's second stage: 256 maps, each from 16 of 64
    table = torch.arange(256 * 16).reshape(256, 16) % 64
    layer = FilterBank(64, 256, 9, table, bias=True)
    assert {name: p.numel() for name, p in layer.named_parameters()} == {"kernels": 331_776, "gain": 256, "bias": 256}


def test_gain_and_bias_are_optional_and_change_nothing_at_first():
    x = drawn(2, 3, 6, 5)
    with_both = FilterBank(3, 4, 3, SOME, gain=True, bias=True).double()
    with_none = FilterBank(3, 4, 3, SOME, gain=False, bias=False).double()
    assert [name for name, _ in with_none.named_parameters()] == ["kernels"]
    with_none.kernels = with_both.kernels
    torch.testing.assert_close(with_none(x), with_both(x), rtol=0, atol=1e-12)


def test_the_module_passes_everything_on():
    layer = FilterBank(3, 4, 3, SOME.int(), squash="tanh", gain=True, bias=True, padding=1).double()
    layer.gain.data, layer.bias.data = drawn(4, seed=1), drawn(4, seed=2)
    options = {"gain": layer.gain.data, "bias": layer.bias.data, "squash": "tanh", "padding": 1}
    reference.assert_is_filter_bank(lambda x, *_, **__: layer(x), drawn(2, 3, 5, 7), layer.kernels, SOME, **options)


def test_initial_kernels_are_uniform_up_to_one_over_their_size():
    kernels = FilterBank(8, 64, 9).kernels
    assert 0.99 / 9 < kernels.abs().max() <= 1 / 9
    assert abs(kernels.std().item() * 9 - 3**-0.5) < 0.01
    assert abs(kernels.mean().item()) < 0.002


def test_resetting_draws_from_the_given_generator():
    layer = FilterBank(3, 4, 3, bias=True)
    layer.gain.data, layer.bias.data = torch.rand(4), torch.rand(4)
    layer.reset_parameters(0.5, torch.Generator().manual_seed(7))
    expected = torch.empty(4, 3, 3, 3).uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(7))
    assert torch.equal(layer.kernels, expected)
    assert layer.gain.tolist() == [1] * 4
    assert layer.bias.tolist() == [0] * 4


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "kernel_size", "padding"])
def test_impossible_counts_are_refused_by_name(name):
    sizes = {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "padding": 0}
    FilterBank(**sizes)
    sizes[name] = -1 if name == "padding" else 0
    with pytest.raises(ValueError, match=name):
        FilterBank(**sizes)


@pytest.mark.parametrize(
    "connections",
    [torch.tensor([0, 1, 2, 0]), SOME[:3], SOME.T, SOME[:, :0], SOME + 1, SOME - 1, SOME.float()],
    ids=["one axis", "too few rows", "turned", "empty", "beyond the last map", "negative", "not whole"],
)
def test_impossible_connections_are_refused_by_name(connections):
    with pytest.raises(ValueError, match="connections"):
        FilterBank(3, 4, 3, connections)


def test_an_unknown_squash_is_refused_by_name():
    with pytest.raises(ValueError, match=r"squash.*'relu'"):
        FilterBank(3, 4, 3, squash="relu")
    with pytest.raises(ValueError, match=r"squash.*'relu'"):
        filter_bank(drawn(1, 3, 5, 5), drawn(4, 3, 3, 3), squash="relu")


def test_another_number_of_maps_is_refused():
    with pytest.raises(ValueError, match=r"3 input maps, x has 2.*connections"):
        filter_bank(drawn(1, 2, 5, 5), drawn(4, 3, 3, 3))


def test_what_is_no_batch_is_refused():
    with pytest.raises(ValueError, match=r"\[n, in_maps, height, width\], not \[1, 9, 9\]; x\[None\]"):
        FilterBank(1, 2, 3)(torch.ones(1, 9, 9))


def test_a_kernel_larger_than_its_map_is_refused_by_name():
    x, kernels = drawn(1, 3, 4, 9), drawn(4, 3, 5, 5)
    with pytest.raises(ValueError, match=r"kernel_size=5 exceeds its 4x9 map"):
        filter_bank(x, kernels)
    assert filter_bank(x, kernels, padding=1).shape == (1, 4, 2, 7)
