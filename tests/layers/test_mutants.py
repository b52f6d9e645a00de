"""Mutants of the layers' functions, one mistake in each, are detected by what `cases` expects."""

import functools
import sys

import pytest
import torch
from layers.cases import X, contrast_norms, filter_banks, others, pools, with_gradients
from layers.mutation import mutants

from multistage import layers
from multistage.layers import arithmetic, channel_norm, convolution, eager, pooling
from multistage.layers import contrast_norm_definition as plain
from multistage.layers.fast import contrast_norm as fast

FUNCTIONS = {
    contrast_norms: [
        *(fast.contrast_norm, fast.forward, fast.backward, fast._mean_square, fast._mean),
        *(plain.gaussian_window, plain.blur_matrix, arithmetic.safe_sqrt),
    ],
    filter_banks: [
        *(convolution.convolve, convolution.spread, convolution._transform, convolution._back),
        *(convolution._fourier_gradients, convolution._unfolding_gradients),
        *(layers.filter_bank, sys.modules["multistage.layers.filter_bank"]._gained_tanh_gradient),
    ],
    pools: [
        *(pooling.average_pool, pooling._averages, arithmetic.safe_sqrt),
        *(pooling.l2_pool, pooling._mean_square, pooling._mean_square_gradient),
    ],
    others: [
        *(channel_norm.rms_norm, channel_norm.layer_norm, channel_norm._of_unit_power, channel_norm._scaled),
        sys.modules["multistage.layers.rectify"]._absolute_gradient,
    ],
}
EQUIVALENT = {  # no mistakes
    "backward: 0.001 * c -> 0.001",  # c is what divides, to rounding
    "blur_matrix: positive(matrix.sum(1, keepdim=True)) -> matrix.sum(1, keepdim=True)",  # but for taps with zeros
    "_mean: x.permute(0, 2, 3, 1).flatten(1, 2) -> x.permute(0, 2, 3, 1)",  # slower
    "convolve: suits_fourier(x, kernels, padding) -> padding",  # another way to the same
    "convolve: padding and is_ordinary_on_cpu(x) -> padding",  # in another layout, as the next two
    "convolve: padding and is_ordinary_on_cpu(x) -> is_ordinary_on_cpu(x)",
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
    """Every eleventh first, and so on: unlike each other, so that a mistake is soon found."""
    found = list(family())
    return [case for first in range(11) for case in found[first::11]]


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
    caches = fast._remembered, pooling._averages

    def replace(original, wrong):
        forget()
        for module in [module for name, module in sys.modules.items() if name.startswith("multistage.layers")]:
            for name in [name for name, value in vars(module).items() if value is original]:
                monkeypatch.setattr(module, name, wrong)

    def forget():
        for cache in caches:
            cache.cache_clear()

    yield replace
    forget()


@pytest.mark.parametrize("family", FUNCTIONS, ids=lambda family: family.__name__)
def test_the_functions_themselves_pass(family):
    check(family)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "family", "function", "wrong"), MUTANTS, ids=[text for text, *_ in MUTANTS])
def test_a_mutant_is_detected(text, family, function, wrong, replace):
    cases(family)  # while everything is right
    replace(function, wrong)
    if text in EQUIVALENT:
        check(family)
    else:
        with pytest.raises(REFUSALS):
            check(family)


def test_what_is_no_mistake_is_still_there():
    assert {text for text, *_ in MUTANTS} >= EQUIVALENT
