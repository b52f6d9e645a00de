"""Hand-written gradients against torch's own, and the refusal of second ones."""

import pytest
import torch
import torch.nn.functional as F

from multistage.layers import average_pool, filter_bank, rectify
from multistage.layers.convolution import convolve, spread, suits_fourier


def drawn(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def table(out_maps, in_maps, fan_in):
    order = torch.Generator().manual_seed(5)
    return torch.stack([torch.randperm(in_maps, generator=order)[:fan_in] for _ in range(out_maps)])


CASES = {  # n, input maps, height, width, output maps, kernel, fan-in, padding
    "one input map": (3, 1, 12, 10, 4, 5, None, 0),
    "one input map, padded": (2, 1, 7, 9, 3, 3, None, 2),
    "three input maps": (2, 3, 9, 8, 4, 3, None, 0),
    "three input maps, two connected": (2, 3, 9, 8, 4, 3, 2, 0),
    "Fourier": (8, 16, 12, 11, 16, 7, 5, 0),
    "Fourier, padded": (9, 16, 9, 8, 17, 9, 3, 2),
    "Fourier, all connected": (8, 16, 9, 10, 16, 7, None, 1),
    "Fourier, a connection twice": (8, 16, 9, 9, 16, 7, "twice", 0),
}


def case(name):
    n, in_maps, height, width, out_maps, k, fan_in, padding = CASES[name]
    connections = None if fan_in is None else table(out_maps, in_maps, 2 if fan_in == "twice" else fan_in)
    if fan_in == "twice":
        connections[:, 1] = connections[:, 0]
    x, kernels = (
        drawn(n, in_maps, height, width),
        drawn(out_maps, in_maps if fan_in is None else connections.shape[1], k, k, seed=1),
    )
    assert suits_fourier(x, kernels, padding) == name.startswith("Fourier")
    return x, kernels, drawn(out_maps, seed=2), drawn(out_maps, seed=3), connections, padding


def plainly(x, kernels, gain, bias, connections, padding, squash):
    weight = kernels.flip(-2, -1)
    weight = weight if connections is None else spread(weight, connections, x.shape[1])
    y = F.conv2d(x, weight, bias, padding=padding)
    y = torch.tanh(y) if squash == "tanh" else y
    return y if gain is None else gain[:, None, None] * y


@pytest.mark.parametrize("squash", ["tanh", "none"])
@pytest.mark.parametrize("name", CASES)
def test_filter_banks_are_as_torch_has_them(name, squash):
    x, kernels, gain, bias, connections, padding = case(name)
    y = filter_bank(x, kernels, gain, bias, connections, squash, padding)
    expected = plainly(x, kernels, gain, bias, connections, padding, squash)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-11)
    upstream = torch.randn_like(y)
    leaves = (x, kernels, gain, bias)
    for ours, theirs in zip(
        torch.autograd.grad(y, leaves, upstream), torch.autograd.grad(expected, leaves, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("window", "step"), [(10, 5), (6, 4), (4, 4), (2, 2), (3, 2), (1, 3), (5, 7), (1, 1)])
def test_average_pooling_is_as_torch_has_it(window, step):
    x = drawn(2, 3, 23, 18)
    y, expected = average_pool(x, window, step), F.avg_pool2d(x, window, step)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-14)
    upstream = torch.randn_like(y)
    ours, theirs = (torch.autograd.grad(z, x, upstream)[0] for z in (y, expected))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)


def test_absolute_values_are_as_torch_has_them():
    x = drawn(4, 3, 5, 6)
    with torch.no_grad():
        x[0, 0] = 0
    upstream = torch.randn_like(x)
    ours, theirs = (torch.autograd.grad(z, x, upstream)[0] for z in (rectify(x), x.abs()))
    assert torch.equal(ours, theirs)


def test_average_pooling_keeps_nothing_of_its_inputs_size():
    x, kept = drawn(2, 3, 40, 40), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        average_pool(x, 10, 5)
    assert max(kept, default=0) < x.numel() / 3


KERNELS = {name: drawn(*shape) for name, shape in {"few": (4, 1, 3, 3), "many": (16, 16, 7, 7)}.items()}


@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        pytest.param(lambda x: filter_bank(x, KERNELS["few"], drawn(4)), None, id="tanh and gain"),
        pytest.param(lambda x: rectify(x) ** 2, None, id="absolute value"),
        pytest.param(lambda x: filter_bank(x, KERNELS["few"], squash="none"), "few", id="one input map"),
        pytest.param(
            lambda x: filter_bank(x.expand(8, 16, -1, -1), KERNELS["many"], squash="none"), "many", id="Fourier"
        ),
    ],
)
def test_second_derivatives_are_refused_rather_than_wrong(function, parameter):
    x = drawn(1, 1, 8, 8)
    (gradient,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="cannot be differentiated again"):
        torch.autograd.grad(gradient.sum(), KERNELS.get(parameter, x))


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("Fourier")])
def test_the_fourier_convolution_is_as_exact_as_float32_allows(name):
    x, kernels, _, _, connections, padding = case(name)
    y = convolve(x.float(), kernels.float(), None, connections, padding)
    expected = convolve(x, kernels, None, connections, padding)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=2e-6 * float(expected.detach().abs().max()))


@pytest.mark.parametrize("shape", [(), (0, 3, 4, 4), (5,)])
def test_rectification_takes_any_shape(shape):
    x = torch.full(shape, -2.0, requires_grad=True)
    rectify(x).sum().backward()
    assert torch.equal(x.grad, torch.full(shape, -1.0))


def test_the_default_device_does_not_matter():
    x, kernels = drawn(8, 16, 9, 11), drawn(16, 16, 7, 7)
    with torch.device("meta"):
        y = average_pool(filter_bank(x, kernels), 3, 2)
    assert torch.equal(y, average_pool(filter_bank(x, kernels), 3, 2))
