import pytest
import torch
import torch.nn.functional as F
from scipy.signal import convolve2d

from audit.instruments.convolution_steps import convolved, flipped, gradients, steps, uses
from multistage.layers import filter_bank

X = torch.tensor([[0.0, 80, 40], [20, 40, 0], [0, 0, 40]])
K = torch.tensor([[0, 0.25], [0.5, 1]])


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_lectures_worked_example():
    assert convolved(X, K).tolist() == [[45, 110], [40, 40]]
    first = next(steps(X, K))
    assert (first.row, first.column, first.total) == (0, 0, 45)
    assert first.window.tolist() == [[0, 80], [20, 40]]
    assert flipped(K).tolist() == [[1, 0.5], [0.25, 0]]


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_it_is_scipys_convolution_and_the_layers(padding):
    x, k = random(7, 9), random(3, 3)
    padded = F.pad(x, [padding] * 4)
    torch.testing.assert_close(convolved(x, k, padding), torch.from_numpy(convolve2d(padded, k, "valid")))
    layer = filter_bank(x[None, None], k[None, None], squash="none", padding=padding)[0, 0]
    torch.testing.assert_close(convolved(x, k, padding), layer)


@pytest.mark.parametrize(("size", "padding"), [(1, 0), (3, 0), (3, 1), (4, 2), (5, 4)])
def test_uses_are_the_gradient_of_a_convolution_with_ones(size, padding):
    x = torch.zeros(8, 8, dtype=torch.float64, requires_grad=True)
    F.conv2d(F.pad(x, [padding] * 4)[None, None], torch.ones(1, 1, size, size, dtype=torch.float64)).sum().backward()
    assert uses(8, size, padding).tolist() == x.grad.long().tolist()


def test_a_corner_is_used_once_and_with_padding_as_far_as_the_kernel_reaches():
    assert uses(20, 9)[0, 0] == 1
    assert uses(20, 9, 4)[0, 0] == 25
    assert uses(20, 9)[10, 10] == uses(20, 9, 4)[10, 10] == 81


def test_gradients_are_autograds():
    x, k, upstream = random(6, 8).requires_grad_(), random(3, 3, seed=1).requires_grad_(), random(4, 6, seed=2)
    filter_bank(x[None, None], k[None, None], squash="none")[0, 0].backward(upstream)
    by_x, by_k = gradients(x.detach(), k.detach(), upstream)
    torch.testing.assert_close(by_x, x.grad)
    torch.testing.assert_close(by_k, k.grad)
