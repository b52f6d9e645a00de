"""Contrast normalisation as a citizen of PyTorch: transforms, autocast, threads; `test_every_layer` has the rest."""

import pytest
import torch

from multistage.layers import LocalContrastNorm, local_contrast_norm
from multistage.layers.contrast_norm import definition

PAPER = {}
OTHER = {"kernel_size": 5, "floor": 0.5, "border": "renormalise", "across_maps": False}
each_choice = pytest.mark.parametrize("choice", [PAPER, OTHER], ids=["the paper's", "other"])


def drawn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


X, DY = drawn(2, 3, 8, 7), drawn(2, 3, 8, 7, seed=1)
TINY = drawn(1, 2, 3, 4, dtype=torch.float64)


def with_gradient(function, x, dy):
    """y, and the gradient of `x` where that of y is `dy`."""
    x = x.detach().requires_grad_()
    y = function(x)
    return y.detach(), torch.autograd.grad(y, x, dy)[0]


def assert_same(actual, expected, tolerance=1e-5):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def cubed(layer):
    return lambda x: layer(x).pow(3).sum()


# torch.func, and derivatives beyond the first


of_torchs_own = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # its first jvp uses it


@of_torchs_own
@each_choice
def test_functions_can_be_transformed(choice):
    layer = LocalContrastNorm(**choice)
    tangent = drawn(*TINY.shape, seed=1, dtype=torch.float64)
    y, dx = with_gradient(layer, TINY, tangent)
    assert_same(torch.func.vjp(layer, TINY)[1](tangent)[0], dx, 1e-10)
    assert_same(torch.func.grad(cubed(layer))(TINY), with_gradient(cubed(layer), TINY, torch.tensor(1.0).double())[1])
    stacked = drawn(3, *TINY.shape, dtype=torch.float64)
    assert_same(torch.func.vmap(layer)(stacked), torch.stack([layer(x) for x in stacked]), 1e-10)

    primal, along = torch.func.jvp(layer, (TINY,), (tangent,))
    nearby = (layer(TINY + 1e-6 * tangent) - layer(TINY - 1e-6 * tangent)) / 2e-6
    assert_same(primal, y, 1e-10)
    assert_same(along, nearby, 1e-6)


@of_torchs_own
def test_second_derivatives_are_those_of_the_definition():
    hessian = torch.func.hessian(cubed(local_contrast_norm))(TINY)
    assert_same(hessian, torch.autograd.functional.hessian(cubed(definition), TINY), 1e-10)
    gradient, step = torch.func.grad(cubed(local_contrast_norm)), torch.zeros_like(TINY)
    step[0, 1, 2, 3] = 1e-6
    assert_same(hessian[..., 0, 1, 2, 3], (gradient(TINY + step) - gradient(TINY - step)) / 2e-6, 1e-5)


def test_second_derivatives_by_autograd_are_refused():
    refused = pytest.raises(NotImplementedError, match=r"written by hand .* second derivatives with torch\.func")
    x = TINY.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cubed(local_contrast_norm)(x), x, create_graph=True)
    assert_same(gradient, with_gradient(cubed(definition), TINY, torch.tensor(1.0).double())[1], 1e-10)
    with refused:
        gradient.sum().backward(retain_graph=True)
    with refused:
        torch.autograd.grad(gradient.sum(), x, allow_unused=True)
    with refused:
        torch.autograd.functional.hessian(cubed(local_contrast_norm), TINY)


def test_subclasses_of_tensors_are_kept():
    class Maps(torch.Tensor):
        pass

    y = local_contrast_norm(X.as_subclass(Maps))
    assert type(y) is Maps
    assert_same(y.as_subclass(torch.Tensor), local_contrast_norm(X))


# Precision


def under_autocast(layer, with_backward):
    x = X.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
        if with_backward:
            y.backward(DY)
    if not with_backward:
        y.backward(DY)
    return y.detach(), x.grad


def test_autocast_changes_nothing():
    expected = with_gradient(local_contrast_norm, X, DY)
    torch.compiler.reset()
    compiled = torch.compile(local_contrast_norm, fullgraph=True, backend="aot_eager")
    for with_backward in (False, True):
        actual = under_autocast(local_contrast_norm, with_backward)
        assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))
        for layer in (definition, compiled):
            assert_same(under_autocast(layer, with_backward), expected)


def test_takes_what_autocast_made():
    kernels = drawn(4, 3, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        maps = torch.nn.functional.conv2d(X, kernels)
        y = local_contrast_norm(maps)
    assert maps.dtype == y.dtype == torch.bfloat16
    assert torch.equal(y, local_contrast_norm(maps))


# Layouts, and what autograd keeps


def test_channels_last_stays():
    for values in with_gradient(local_contrast_norm, X.contiguous(memory_format=torch.channels_last), DY):
        assert values.is_contiguous(memory_format=torch.channels_last)
    for values in with_gradient(local_contrast_norm, X, DY.contiguous(memory_format=torch.channels_last)):
        assert values.is_contiguous()


def test_outputs_may_be_overwritten():
    x = X.clone().requires_grad_()
    y = local_contrast_norm(x)
    total = (y * DY).sum()
    y.mul_(2)
    assert torch.equal(torch.autograd.grad(total, x)[0], with_gradient(local_contrast_norm, X, DY)[1])


def test_inputs_may_be_overwritten():
    x = X.clone().requires_grad_()
    maps = 1 * x
    y = local_contrast_norm(maps)
    maps.zero_()
    assert torch.equal(torch.autograd.grad(y, x, DY)[0], with_gradient(local_contrast_norm, X, DY)[1])


@pytest.mark.parametrize("shape", [(4, 16, 60, 50), (1, 2, 300, 200)], ids=str)
def test_threads_do_not_matter(shape):
    x, dy = drawn(*shape), drawn(*shape, seed=1)
    expected = with_gradient(local_contrast_norm, x, dy)
    threads = torch.get_num_threads()
    x.requires_grad_()
    try:
        torch.set_num_threads(2)
        y = local_contrast_norm(x)
        (inside,) = torch.autograd.grad(y, x, dy, retain_graph=True)
    finally:
        torch.set_num_threads(threads)
    (outside,) = torch.autograd.grad(y, x, dy)
    for dx in (inside, outside):
        assert_same((y.detach(), dx), expected, 2e-6)
