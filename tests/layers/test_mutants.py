"""Mutants of the layers' functions, one mistake in each: values or gradients differ from what is expected."""

import functools
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from layers import reference, test_gradients_by_hand
from layers.mutation import mutants

from multistage import layers
from multistage.layers import arithmetic, channel_norm, convolution, eager, pooling
from multistage.layers import contrast_norm_definition as plain
from multistage.layers.fast import contrast_norm as fast

X = torch.randn(2, 3, 10, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X[1] *= 4
ROUNDING = torch.cat([1e15 + X[:1] / 4, -1e15 - X[:1] / 4, 1e17 + 8 * X[:1]])  # flat but for it


def with_gradients(function, *inputs):
    """y, and the gradients of all inputs where that of y is drawn."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]  # a mutant may overwrite them
    y = function(*inputs)
    dy = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(1))
    return y.detach(), *torch.autograd.grad(y, inputs, dy)


def late(module, name, *arguments, **options):
    """The function, looked up when it is called."""
    return lambda *inputs: getattr(module, name)(*inputs, *arguments, **options)


# Of each family of layers its cases: a function, its inputs, and what `with_gradients` should give, None for anything


def contrast_norms():
    for border in plain.BORDERS:
        c = float(reference.centred_and_deviation(X[0].numpy(), border=border)[1].mean())
        for options in ({"floor": "mean"}, {"floor": c}, {"kernel_size": 5, "sigma": 0.8}):
            options["border"] = border
            y = torch.from_numpy(reference.local_contrast_norm(X.numpy(), **options))
            column = torch.from_numpy(reference.local_contrast_norm(X[..., :1].numpy(), **options))
            inputs = [(X, y), (X.contiguous(memory_format=torch.channels_last), y), (X[..., :1], column)]
            inputs += [(torch.zeros_like(X), None), *([] if border == "zero" else [(ROUNDING, None)])]
            for floor_gradient in (True, False):
                options = {**options, "floor_gradient": floor_gradient}
                for x, y in inputs:
                    expected = (y, with_gradients(functools.partial(plain.definition, **options), x)[1])
                    yield late(layers, "local_contrast_norm", **options), [x], expected
                    yield late(plain, "definition", **options), [x], expected


def filter_banks():
    for name in test_gradients_by_hand.CASES:
        *inputs, connections, padding = test_gradients_by_hand.case(name)
        for squash in ("tanh", "none"):
            rest = {"connections": connections, "padding": padding, "squash": squash}
            plainly = functools.partial(test_gradients_by_hand.plainly, **rest)
            yield late(layers, "filter_bank", **rest), inputs, with_gradients(plainly, *inputs)
            expected = with_gradients(functools.partial(plainly, gain=None, bias=None), *inputs[:2])
            yield late(layers, "filter_bank", **rest), inputs[:2], expected


def pools():
    for sizes in [(2, 2), (3, 2), (4, 1), (2, 3), (1, 1), (4, 2)]:
        for name, power, of_window in (("average_pool", 1, np.mean), ("l2_pool", 2, reference.root_mean_square)):
            y = torch.from_numpy(reference.pool(X.numpy(), *sizes, of_window))
            plainly = with_gradients(lambda x, s=sizes, p=power: F.avg_pool2d(x**p, *s) ** (1 / p), X)
            yield late(layers, name, *sizes), [X], (y, plainly[1])
            yield torch.func.vmap(late(layers, name, *sizes)), [X[None]], (y[None], None)
    yield late(layers, "l2_pool", 2), [torch.zeros_like(X)], [torch.zeros(2, 3, 5, 4), torch.zeros_like(X)]


def others():
    gain, bias = torch.tensor([[0.5, 2, -1], [0.1, -0.2, 0.3]], dtype=torch.float64)
    y = torch.from_numpy(reference.channel_norm(X.numpy(), gain.numpy(), bias.numpy(), 0.1, True))
    yield late(layers, "layer_norm", eps=0.1), [X, gain, bias], (y, None, None, None)
    yield late(layers, "layer_norm"), [X], with_gradients(functools.partial(channel_norm.layer_norm, gain=gain**0), X)
    y = torch.from_numpy(reference.channel_norm(X.numpy(), gain.numpy(), 0, 0.1, False))
    yield late(layers, "rms_norm", eps=0.1), [X, gain], (y, None, None)
    yield late(layers, "rectify"), [X], with_gradients(torch.abs, X)


FUNCTIONS = {
    contrast_norms: [
        *(fast.contrast_norm, fast.forward, fast.backward, fast._mean_square, fast._blur, fast._mean),
        *(plain.floored, plain.gaussian_window, plain.blur_matrix, arithmetic.safe_sqrt),
    ],
    filter_banks: [
        *(convolution.convolve, convolution.spread, convolution._transform, convolution._back),
        *(convolution._fourier_gradients, convolution._unfolding_gradients),
        *(layers.filter_bank, sys.modules["multistage.layers.filter_bank"]._gained_tanh_gradient),
    ],
    pools: [pooling.average_pool, pooling.l2_pool, pooling._averages, arithmetic.safe_sqrt],
    others: [
        *(channel_norm.rms_norm, channel_norm.layer_norm, channel_norm._of_unit_power, channel_norm._scaled),
        sys.modules["multistage.layers.rectify"]._absolute_gradient,
    ],
}
EQUIVALENT = {  # no mistakes
    "backward: 0.001 * c -> 0.001",  # c is what divides, to rounding
    "floored: mean.abs().amax((2, 3), keepdim=True) -> mean.abs()",  # of a flat sample nearly the same everywhere
    "_mean: x.permute(0, 2, 3, 1).flatten(1, 2) -> x.permute(0, 2, 3, 1)",  # slower
    "convolve: suits_fourier(x, kernels, padding) -> padding",  # another way to the same
    "_unfolding_gradients: in_maps * k -> k",  # taken for one input map only
    "average_pool: not is_ordinary_on_cpu(x) -> is_ordinary_on_cpu(x)",  # another way to the same, as the next three
    "average_pool: kernel_size % stride -> kernel_size",
    "average_pool: kernel_size % stride -> stride",
    "average_pool: x if kernel_size == stride == 1 else _averages(height, kernel_size, stride).to(x) @ x"
    " -> _averages(height, kernel_size, stride).to(x) @ x",
}
MUTANTS = [
    (text, family, function, wrong)
    for family, functions in FUNCTIONS.items()
    for function in functions
    for text, wrong in mutants(function)
]
REFUSALS = (AssertionError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@functools.cache
def cases(family):
    return list(family())


def check(family):
    """All samples at once, and one by one."""
    for function, inputs, expected in cases(family):
        for block in (10**6, X[0].nbytes):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(eager, "BLOCK_BYTES", block)
                actual = with_gradients(function, *inputs)
            for values, truth in zip(actual, expected, strict=True):
                if truth is not None:
                    torch.testing.assert_close(values, truth.to(values), rtol=1e-9, atol=1e-9)


@pytest.fixture
def replace(monkeypatch):
    """Put another function wherever the layers know one."""
    caches = fast._matrix, pooling._averages

    def replace(original, wrong):
        for module in [module for name, module in sys.modules.items() if name.startswith("multistage.layers")]:
            for name in [name for name, value in vars(module).items() if value is original]:
                monkeypatch.setattr(module, name, wrong)

    yield replace
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("family", FUNCTIONS, ids=lambda family: family.__name__)
def test_the_functions_themselves_pass(family):
    check(family)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "family", "function", "wrong"), MUTANTS, ids=[text for text, *_ in MUTANTS])
def test_a_mutant_is_detected(text, family, function, wrong, replace):
    cases(family)  # while everything is right
    fast._matrix.cache_clear()
    pooling._averages.cache_clear()
    replace(function, wrong)
    if text in EQUIVALENT:
        check(family)
    else:
        with pytest.raises(REFUSALS):
            check(family)


def test_what_is_no_mistake_is_still_there():
    assert {text for text, *_ in MUTANTS} >= EQUIVALENT
