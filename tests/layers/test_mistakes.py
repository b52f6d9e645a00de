"""The checks against the definition are seen to fail: on mistakes found in published code, and on others."""

import pytest
import torch
import torch.nn.functional as F
from layers import reference

from multistage.layers import filter_bank, local_contrast_norm

X = torch.randn(2, 3, 10, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X[1] *= 4


def contrast_norm(x, border, mistake=None):
    """N for two of its borders, by dense convolution, with one mistake built in."""
    maps = x.shape[1]
    window = torch.from_numpy(reference.gaussian(9))
    if mistake == "random window":
        window = torch.rand(9, 9, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    if mistake == "width 2":
        window = torch.from_numpy(reference.gaussian(9, 2.0))
    window = window / (1 if mistake == "window not normalised" else window.sum())
    weight = window.expand(1, maps, 9, 9) / (1 if mistake == "sum over maps" else maps)
    padding = (5, 3, 4, 4) if mistake == "padding off by one" else (4, 4, 4, 4)

    def coverage():
        return F.conv2d(F.pad(torch.ones_like(x), padding), weight)

    def blur(values):
        if mistake == "each map by itself":
            return F.conv2d(F.pad(values, padding), window.expand(maps, 1, 9, 9), groups=maps)
        if mistake == "mirrored border":
            return F.conv2d(F.pad(values, padding, mode="reflect"), weight)
        total = F.conv2d(F.pad(values, padding), weight)
        return total / coverage() if border == "renormalise" and mistake != "zero where renormalised" else total

    mean = blur(x)
    v = x - mean
    square = blur(x.square() if mistake == "deviation of x" else v.square())
    deviation = square if mistake == "no square root" else square.sqrt()
    if mistake == "coverage divides the root":  # Torch7
        deviation = (square * coverage()).sqrt() / coverage()
    axes = {"floor over the batch": (0, 2, 3), "floor at each pixel": ()}.get(mistake, (2, 3))
    c = deviation.mean(axes, keepdim=True) if axes else blur(deviation.expand_as(x))
    if mistake == "constant floor":
        c = torch.tensor(1e-4, dtype=x.dtype)
    divisor = deviation + c if mistake == "floor added" else torch.maximum(deviation, c)
    return (x if mistake == "not centred" else v) / divisor


MISTAKES = [
    "no square root",
    "deviation of x",
    "floor over the batch",
    "floor at each pixel",
    "floor added",
    "constant floor",
    "each map by itself",
    "random window",
    "width 2",
    "padding off by one",
    "mirrored border",
    "not centred",
]
ONLY_WITH = {
    "zero": ["sum over maps", "window not normalised"],
    "renormalise": ["zero where renormalised", "coverage divides the root"],
}


@pytest.mark.parametrize("border", ONLY_WITH)
@pytest.mark.parametrize("right", [contrast_norm, local_contrast_norm], ids=["dense", "ours"])
def test_a_right_contrast_norm_passes(right, border):
    reference.assert_is_contrast_norm(right, X, border=border)


@pytest.mark.parametrize(
    ("border", "mistake"),
    [(border, mistake) for border, more in ONLY_WITH.items() for mistake in MISTAKES + more],
)
def test_a_wrong_contrast_norm_is_detected(border, mistake):
    def wrong(x, border):
        return contrast_norm(x, border, mistake)

    assert wrong(X, border).shape == X.shape
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        reference.assert_is_contrast_norm(wrong, X, border=border)


KERNELS = torch.randn(4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) / 3
CONNECTIONS = torch.tensor([[0, 2], [1, 0], [2, 2], [0, 1]])
GAIN, BIAS = torch.tensor([[0.5, 2, -1, 3], [0.1, -0.2, 0.3, 0.4]], dtype=torch.float64)


def repeats_overwritten(x, kernels, connections, **rest):
    dense = kernels.new_zeros(4, 3, 3, 3)
    dense[torch.arange(4)[:, None], connections] = kernels
    return filter_bank(x, dense, **rest)


WRONG_BANKS = {
    "correlation": lambda x, k, **rest: filter_bank(x, k.flip(-2, -1), **rest),
    "turned kernels": lambda x, k, **rest: filter_bank(x, k.mT, **rest),
    "gain inside": lambda x, k, gain, bias, **rest: filter_bank(
        x, k * gain.view(-1, 1, 1, 1), bias=bias * gain, **rest
    ),
    "bias outside": lambda x, k, gain, bias, **rest: filter_bank(x, k, gain, **rest) + (gain * bias).view(-1, 1, 1),
    "repeats overwritten": repeats_overwritten,
    "other sources": lambda x, k, connections, **rest: filter_bank(x, k, connections=connections.flip(1), **rest),
    "no tanh": lambda x, k, **rest: filter_bank(x, k, squash="none", **rest),
}


def check_filter_bank(implementation):
    reference.assert_is_filter_bank(implementation, X, KERNELS, CONNECTIONS, gain=GAIN, bias=BIAS)


def test_a_right_filter_bank_passes():
    check_filter_bank(filter_bank)


@pytest.mark.parametrize("mistake", WRONG_BANKS)
def test_a_wrong_filter_bank_is_detected(mistake):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_filter_bank(WRONG_BANKS[mistake])
