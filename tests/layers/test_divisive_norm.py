"""Divisive normalisation: the slow definition, the formulas of its sources, numbers of any size and type."""

import functools
import itertools

import pytest
import torch
import torch.nn.functional as F
from layers import slow_divisive_norm as slow
from layers.cases import drawn, with_gradients

from multistage import layers
from multistage.layers import DivisiveNorm2d, divisive_norm

X = drawn(2, 4, 5, 6) * torch.tensor([1.0, 4]).view(2, 1, 1, 1)
POSITIVE = {
    "floor of each": drawn(4, seed=1).exp(),
    "floor of all": torch.tensor(0.3).double(),
    "exponent": torch.tensor(2.7).double(),
    "exponent of two": torch.tensor(2.0).double(),
    "own weights": drawn(4, seed=2).exp(),
    "all weights": drawn(4, 4, seed=3).exp() / 4,
}
FACTORS = {
    "floor": [0.5, 3.0, POSITIVE["floor of each"], POSITIVE["floor of all"]],
    "exponent": [2.0, 1.0, 3.5, POSITIVE["exponent"], POSITIVE["exponent of two"]],
    "weights": ["mean", "each", POSITIVE["own weights"], POSITIVE["all weights"]],
    "window": [
        {"kernel_size": 5, "sigma": 0.8},
        {"kernel_size": 3, "window": "box"},
        {"window": (0.2, 2, 0), "border": "reflect"},
        {"kernel_size": 1},
        {"border": "renormalise"},
        {"border": "replicate"},
    ],
    "subtract": [True, False],
}


def choices():
    """Every value of a factor with every one of each other, with the rest in turn."""
    names = list(FACTORS)
    for i, j in itertools.combinations(range(len(names)), 2):
        for a, b in itertools.product(range(len(FACTORS[names[i]])), range(len(FACTORS[names[j]]))):
            row = [(a + b + place) % len(FACTORS[name]) for place, name in enumerate(names)]
            row[i], row[j] = a, b
            yield tuple(row)


def options_of(row):
    options = {name: values[place] for (name, values), place in zip(FACTORS.items(), row, strict=True)}
    return options | options.pop("window")


CHOICES = [options_of(row) for row in dict.fromkeys(choices())]


def gradients(function, x, options):
    """y, and the gradients of x and of all options that are tensors."""
    names = [name for name, value in options.items() if isinstance(value, torch.Tensor)]

    def of_tensors(x, *tensors):
        return function(x, **options | dict(zip(names, tensors, strict=True)))

    return with_gradients(of_tensors, x, *(options[name] for name in names))


def assert_same(actual, expected, tolerance=1e-9):
    for values, truth in zip(actual, expected, strict=True):
        torch.testing.assert_close(values, truth, rtol=tolerance, atol=tolerance)


@functools.cache
def cases():
    """x, options, and what is expected; unlike ones after each other, so that a mistake is soon found."""
    found = [(X, options) for first in range(7) for options in CHOICES[first::7]]
    found[5:5] = [(X[1], CHOICES[0]), (X[1], CHOICES[-1])]
    return [(x, options, gradients(slow.divisive_norm, x, options)) for x, options in found]


def check():
    for x, options, expected in cases():
        assert_same(gradients(layers.divisive_norm, x, options), expected)


def test_options_are_those_of_the_slow_definition():
    assert len(CHOICES) > 60
    check()


@pytest.mark.parametrize("of_each", [torch.full((4, 4), 0.3), torch.arange(4.0).repeat(4, 1), torch.arange(4.0).diag()])
def test_without_gradients_the_result_is_the_same(of_each):
    expected = divisive_norm(X, weights=of_each.double())
    with torch.no_grad():
        torch.testing.assert_close(divisive_norm(X, weights=of_each.double()), expected)


# Sources


def test_it_is_the_norm_of_ren_and_others():
    """Their code: mean and mean square over channels and a box, zeros outside, variance + sigma^2 under the root."""
    box = torch.ones(1, 1, 5, 5).double() / 25
    centred = X - F.conv2d(X.mean(1, keepdim=True), box, padding=2)
    square = F.conv2d(centred.square().mean(1, keepdim=True), box, padding=2)
    expected = centred / (square + 0.7**2).sqrt()
    options = {"kernel_size": 5, "window": "box", "floor": 0.7}
    assert_same([divisive_norm(X, **options)], [expected])
    fixed = DivisiveNorm2d(4, **options, learn_floor=False, learn_weights=False)
    assert_same([fixed(X)], [expected])


def test_it_is_gdn():
    """y_i = x_i / sqrt(beta_i + sum_k gamma_ik x_k^2), at each position."""
    beta, gamma = POSITIVE["floor of each"], POSITIVE["all weights"]
    expected = X / F.conv2d(X.square(), gamma[:, :, None, None], beta).sqrt()
    assert_same([divisive_norm(X, 1, floor=beta.sqrt(), weights=gamma, subtract=False)], [expected])


def test_it_is_the_response_of_burg_and_others_to_the_power_of_one_over_n():
    """x_l^n / (sigma_l^n + sum_k p_lk <x_k^n>), of rectified maps, <> an average that leaves the outside out."""
    n, x = 1.7, X.relu()
    pool = F.avg_pool2d(x**n, 5, 1, 2, count_include_pad=False)
    sigma, p = POSITIVE["floor of each"], POSITIVE["all weights"]
    expected = x**n / (sigma.view(-1, 1, 1) ** n + F.conv2d(pool, p[:, :, None, None]))
    options = {"window": "box", "border": "renormalise", "floor": sigma, "weights": p, "subtract": False}
    assert_same([divisive_norm(x, 5, exponent=n, **options) ** n], [expected])


def test_it_is_the_norm_of_miller_and_others_for_beta_one():
    """x_i^2 / (1 + alpha / lambda sum_j x_j^2 exp(-|i - j| / lambda)), neighbours along the channels."""
    alpha, length, place = 1.5, 2.0, torch.arange(4).double()
    weights = alpha / length * torch.exp(-(place[:, None] - place).abs() / length)
    expected = X.square() / (1 + torch.einsum("ij,njhw->nihw", weights, X.square()))
    y = divisive_norm(X.square(), 1, floor=1.0, exponent=1.0, weights=weights, subtract=False)
    assert_same([y], [expected])


# Numbers


def test_gradients_are_those_of_differences():
    names = ("floor of each", "exponent", "all weights")
    values = [X[:1, :, :3, :4].clone(), *(POSITIVE[name].clone() for name in names)]

    def function(x, floor, exponent, weights):
        return divisive_norm(x, 3, floor=floor, exponent=exponent, weights=weights)

    assert torch.autograd.gradcheck(function, [value.requires_grad_() for value in values])
    assert torch.autograd.gradgradcheck(lambda x: divisive_norm(x, 3), values[:1])


@pytest.mark.parametrize("exponent", [1.0, 1.01, 2.0, 5.0])
@pytest.mark.parametrize("gray", [0.0, 0.3, 255.0])
def test_flat_images_have_finite_gradients(gray, exponent):
    for options in ({}, {"subtract": False}, {"weights": "each", "learn_floor": False}):
        norm = DivisiveNorm2d(2, 5, exponent=exponent, floor=1e-5, learn_exponent=exponent > 1, **options)
        x = torch.full((1, 2, 8, 7), gray, requires_grad=True)
        y = norm(x)
        found = torch.autograd.grad(y, [x, *norm.parameters()], torch.ones_like(y))
        assert all(values.isfinite().all() for values in (y, *found))
        assert y.any() == bool(gray)


@pytest.mark.parametrize("factor", [1e-25, 1e-3, 1e20])
def test_the_unit_of_x_and_floor_does_not_matter(factor):
    """Though float32 has no number for the squares."""
    for floor in (0.3, POSITIVE["floor of each"].float()):
        x = X.float().requires_grad_()
        y, (dx,) = divisive_norm(x, floor=floor), torch.autograd.grad(divisive_norm(x, floor=floor).sum(), x)
        scaled = (X.float() * factor).requires_grad_()
        other = divisive_norm(scaled, floor=floor * factor)
        assert_same([other, torch.autograd.grad(other.sum(), scaled)[0] * factor], [y, dx], 1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_sums_are_wide_whatever_is_stored(dtype):
    x = (300 * X).to(dtype)  # squares beyond float16
    for layout in (torch.contiguous_format, torch.channels_last):
        norm = DivisiveNorm2d(4, 5, floor=20.0, exponent=2.5, learn_exponent=True).to(dtype)
        wide = DivisiveNorm2d(4, 5, floor=20.0, exponent=2.5, learn_exponent=True).double()
        wide.load_state_dict(norm.state_dict())
        found = []
        for call, of_x in ((norm, x.to(memory_format=layout)), (wide, x.double())):
            of_x = of_x.requires_grad_()
            y = call(of_x)
            dy = drawn(*y.shape, seed=1).to(dtype).to(y)
            gradients = torch.autograd.grad(y, [of_x, *call.parameters()], dy)
            assert {values.dtype for values in (y, *gradients)} == {of_x.dtype}
            found.append([values.detach().double() for values in (y, *gradients)])
        for values, truth in zip(*found, strict=True):
            tolerance = 4 * torch.finfo(dtype).eps
            torch.testing.assert_close(values, truth, rtol=tolerance, atol=tolerance * float(truth.abs().max()))


def test_autocast_sums_nothing_in_sixteen_bits():
    norm, x = DivisiveNorm2d(4, 5), X.float()
    expected = with_gradients(norm, x)
    with torch.autocast("cpu", torch.bfloat16):
        actual = with_gradients(norm, x)
    assert_same(actual, expected, 1e-5)


@pytest.mark.parametrize("exponent", [2.0, 3.0, 8.0, 16.0])
@pytest.mark.parametrize("weights", ["mean", "each"])
def test_no_power_leaves_the_range_of_numbers(exponent, weights):
    x = torch.cat([255 * drawn(1, 2, 12, 12, dtype=torch.float32), torch.zeros(1, 2, 12, 12)]).requires_grad_()
    floor = torch.tensor([1e-6, 1.0])
    y = divisive_norm(x, floor=floor, exponent=exponent, weights=weights)
    (dx,) = torch.autograd.grad(y.sum(), x)
    assert y.isfinite().all()
    assert dx.isfinite().all()
    truth = divisive_norm(x.double(), floor=floor.double(), exponent=exponent, weights=weights)
    torch.testing.assert_close(y, truth.float(), rtol=1e-3, atol=1e-5)


def test_a_whole_number_is_an_exponent():
    x = drawn(1, 2, 5, 5)
    for whole in (1, 2, 3):
        torch.testing.assert_close(divisive_norm(x, exponent=whole), divisive_norm(x, exponent=float(whole)))
