import math

import pytest
import torch

from multistage.layers import Rectify, rectify

VALUES = torch.tensor([-2.0, -0.5, 0.0, 0.25, 3.0])


NORMAL = [math.erfc(-x / math.sqrt(2)) / 2 for x in VALUES.tolist()]
DENSITY = [math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in VALUES.tolist()]
KINDS = {  # values and slopes
    "abs": ([2, 0.5, 0, 0.25, 3], [-1, -1, 0, 1, 1]),
    "relu": ([0, 0, 0, 0.25, 3], [0, 0, 0, 1, 1]),
    "leaky_relu": ([-0.02, -0.005, 0, 0.25, 3], [0.01, 0.01, 0.01, 1, 1]),
    "square": ([4, 0.25, 0, 0.0625, 9], [-4, -1, 0, 0.5, 6]),
    "gelu": (
        [x * p for x, p in zip(VALUES.tolist(), NORMAL, strict=True)],
        [p + x * d for x, p, d in zip(VALUES.tolist(), NORMAL, DENSITY, strict=True)],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_slopes(kind):
    values, slopes = KINDS[kind]
    for layer in (Rectify(kind), lambda x: rectify(x, kind)):
        x = VALUES.double().requires_grad_()
        y = layer(x)
        y.sum().backward()
        assert y.tolist() == pytest.approx(values, abs=1e-15)
        assert x.grad.tolist() == pytest.approx(slopes, abs=1e-15)


def test_abs_is_the_default():
    assert torch.equal(Rectify()(VALUES), VALUES.abs())
    assert torch.equal(rectify(VALUES), VALUES.abs())


def test_abs_ignores_the_sign_of_contrast_and_relu_does_not():
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rectify(-x, "abs"), rectify(x, "abs"))
    assert not torch.equal(rectify(-x, "relu"), rectify(x, "relu"))


def test_an_unknown_kind_is_refused_by_name():
    for call in (Rectify, lambda kind: rectify(VALUES, kind)):
        with pytest.raises(ValueError, match=r"kind must be one of abs, relu, gelu, leaky_relu, square, not 'tanh'"):
            call("tanh")
