"""Of hand-written gradients: what they keep, what they refuse, how exact they are; `test_mutants` has their values."""

import pytest
import torch
from layers import cases

from multistage.layers import average_pool, filter_bank, l2_pool, rectify
from multistage.layers.convolution import convolve


def drawn(*shape, seed=0):
    return cases.drawn(*shape, seed=seed).requires_grad_()


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
        pytest.param(lambda x: l2_pool(x, 2) ** 2, None, id="L2 pooling"),
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


@pytest.mark.parametrize("name", [name for name in cases.FILTER_BANKS if name.startswith("Fourier")])
def test_the_fourier_convolution_is_as_exact_as_float32_allows(name):
    x, kernels, _, _, connections, padding = cases.filter_bank(name)
    y = convolve(x.float(), kernels.float(), None, connections, padding)
    expected = convolve(x, kernels, None, connections, padding)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=2e-6 * float(expected.detach().abs().max()))


@pytest.mark.parametrize("shape", [(), (0, 3, 4, 4), (5,)])
def test_rectification_takes_any_shape(shape):
    x = torch.full(shape, -2.0, requires_grad=True)
    rectify(x).sum().backward()
    assert torch.equal(x.grad, torch.full(shape, -1.0))
