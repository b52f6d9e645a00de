import numpy as np
import pytest
import torch
from layers import reference
from layers.cases import drawn

from multistage.layers import AveragePool, L2Pool, MaxPool, average_pool, l2_pool, max_pool

SIZES = [(2, 2), (3, 2), (4, 1), (2, 3), (1, 1), (1, 4), (5, 5)]
LAYERS = [
    (average_pool, AveragePool, np.mean),
    (max_pool, MaxPool, np.max),
    (l2_pool, L2Pool, reference.root_mean_square),
]
KINDS = ["average", "max", "L2"]


@pytest.mark.parametrize(("window", "step"), SIZES)
@pytest.mark.parametrize(("function", "module", "of_window"), LAYERS, ids=KINDS)
def test_equals_the_definition(function, module, of_window, window, step):
    x = drawn(2, 3, 5, 9)
    expected = reference.pool(x.numpy(), window, step, of_window)
    np.testing.assert_allclose(function(x, window, step), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(module(window, step)(x), expected, rtol=0, atol=1e-12)


def test_the_papers_windows_overlap():
    assert AveragePool(10, 5)(torch.zeros(1, 64, 135, 135)).shape == (1, 64, 26, 26)
    assert AveragePool(6, 4)(torch.zeros(1, 256, 18, 18)).shape == (1, 256, 4, 4)


@pytest.mark.parametrize(("window", "step"), SIZES)
def test_max_without_a_gradient_has_the_same_values(window, step):
    x = drawn(2, 3, 5, 9)
    x[0, 0, 2, 3], x[0, 1, 2, 3], x[1, 0] = float("nan"), float("inf"), -float("inf")
    with_gradient = max_pool(x.clone().requires_grad_(), window, step)
    for maps in (x, x.contiguous(memory_format=torch.channels_last), x[:0]):
        torch.testing.assert_close(
            max_pool(maps, window, step), with_gradient[: len(maps)], rtol=0, atol=0, equal_nan=True
        )


def test_max_gives_the_whole_gradient_to_the_winner():
    x = torch.tensor([[1.0, 9, 3, 4], [5, 6, 8, 7], [-1, -2, 0, 0.5], [-4, -3, -5, -6]], requires_grad=True)
    max_pool(x[None, None], 2).backward(torch.tensor([[[[1.0, 2], [3, 4]]]]))
    assert x.grad.tolist() == [[0, 1, 0, 0], [0, 0, 2, 0], [3, 0, 0, 4], [0, 0, 0, 0]]


def test_l2_of_a_black_window_passes_no_gradient():
    x = torch.tensor([[0.0, 0, 3, 0], [0, 0, 4, 0]], requires_grad=True)
    y = l2_pool(x[None, None], 2)
    assert y.flatten().tolist() == [0, 2.5]
    y.backward(torch.tensor([[[[7.0, 10]]]]))  # x / (4 * 2.5) of 10
    assert x.grad.tolist() == [[0, 0, 3, 0], [0, 0, 4, 0]]


def test_l2_squares_sixteen_bits_in_float32():
    assert l2_pool(torch.full((1, 1, 2, 2), 300.0, dtype=torch.float16), 2).item() == 300


@pytest.mark.parametrize(("function", "module", "_"), LAYERS, ids=KINDS)
def test_a_window_larger_than_the_map_is_refused_by_name(function, module, _):
    for layer in (module(5, 2), lambda x: function(x, 5, 2)):
        for x in (drawn(1, 1, 4, 9), drawn(1, 1, 9, 4)):
            with pytest.raises(ValueError, match=r"kernel_size=5 exceeds its \dx\d map"):
                layer(x)
        assert layer(drawn(1, 1, 5, 5)).shape == (1, 1, 1, 1)


@pytest.mark.parametrize(("window", "step"), [(0, 1), (1, 0), (-1, 1)])
@pytest.mark.parametrize("function", [average_pool, max_pool, l2_pool], ids=KINDS)
def test_windows_and_steps_below_one_are_refused_by_name(function, window, step):
    with pytest.raises(ValueError, match=f"kernel_size={window}, stride={step}"):
        function(drawn(1, 1, 4, 4), window, step)
