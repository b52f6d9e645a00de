import pytest
import torch
from layers.cases import drawn
from torch import nn

from multistage.layers.fast.response_norm import LocalResponseNorm


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [1, 2, 5, 9])  # the last exceeds the channels
@pytest.mark.parametrize(("sides", "tolerance"), [((8, 16), 0), ((11, 13), 1e-6)], ids=["same bits", "odd sides"])
def test_has_torchs_values(sides, tolerance, size, dtype):
    ours, torchs = (of(size, 0.3, 0.6, 1.5) for of in (LocalResponseNorm, nn.LocalResponseNorm))
    x = drawn(3, 7, *sides, dtype=dtype)
    x[0, 1, 2, 3], x[1] = float("nan"), 0
    for maps in (x, x.contiguous(memory_format=torch.channels_last), x[0], x[:0]):
        with torch.no_grad():
            torch.testing.assert_close(ours(maps), torchs(maps), rtol=tolerance, atol=tolerance, equal_nan=True)


def test_a_gradient_is_torchs():
    x = drawn(2, 3, 4, 5).requires_grad_()
    gradients = [torch.autograd.grad(norm(x).sum(), x)[0] for norm in (LocalResponseNorm(3), nn.LocalResponseNorm(3))]
    assert torch.equal(*gradients)
