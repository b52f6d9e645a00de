import pytest
import torch

from multistage.layers import Rectify, rectify

VALUES = torch.tensor([-2.0, -0.5, 0.0, 0.25, 3.0])


@pytest.mark.parametrize(("kind", "expected"), [("abs", [2, 0.5, 0, 0.25, 3]), ("relu", [0, 0, 0, 0.25, 3])])
def test_values(kind, expected):
    assert rectify(VALUES, kind).tolist() == expected
    assert Rectify(kind)(VALUES).tolist() == expected


def test_abs_is_the_default():
    assert torch.equal(Rectify()(VALUES), VALUES.abs())
    assert torch.equal(rectify(VALUES), VALUES.abs())


def test_abs_ignores_the_sign_of_contrast_and_relu_does_not():
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rectify(-x, "abs"), rectify(x, "abs"))
    assert not torch.equal(rectify(-x, "relu"), rectify(x, "relu"))


@pytest.mark.parametrize(("kind", "slopes"), [("abs", [-1, -1, 0, 1, 1]), ("relu", [0, 0, 0, 1, 1])])
def test_slopes(kind, slopes):
    x = VALUES.clone().requires_grad_()
    rectify(x, kind).sum().backward()
    assert x.grad.tolist() == slopes


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(ValueError, match=r"kind.*'square'"):
        Rectify("square")
    with pytest.raises(ValueError, match=r"kind.*'square'"):
        rectify(VALUES, "square")
