import math

import pytest
import torch

from multistage.filters.psd import Encoder
from multistage.filters.sparse_coding import Course, Energy, fista, learn, snr, soft_threshold
from multistage.registry.errors import MultistageError


def test_the_energy_is_its_definition():
    random = torch.Generator().manual_seed(0)
    x, y = (torch.randn(3, 4, 5, generator=random, dtype=torch.float64) for _ in range(2))
    z, p = (torch.randn(3, 7, generator=random, dtype=torch.float64) for _ in range(2))
    expected = [0.0] * 3
    for n in range(3):
        for a, b in zip(x[n].flatten().tolist(), y[n].flatten().tolist(), strict=True):
            expected[n] += (a - b) ** 2
        for code, predicted in zip(z[n].tolist(), p[n].tolist(), strict=True):
            expected[n] += 0.7 * abs(code) + 0.3 * (code - predicted) ** 2
    assert Energy(penalty=0.7, prediction=0.3)(x, y, z, p).tolist() == pytest.approx(expected, rel=1e-12)


def test_soft_threshold():
    assert soft_threshold(torch.tensor([-3.0, -1, 0, 0.5, 2]), 1).tolist() == [-2, 0, 0, 0, 1]


def test_fista_minimises_what_can_be_minimised_by_hand():
    """1/2 |z - a|^2 + c |z|_1 has its minimum at the soft threshold of a."""
    a = torch.tensor([[3.0, -0.5, 0.2, -4]])
    found = fista(lambda z: z - a, torch.zeros_like(a), rate=0.5, threshold=0.5 * 1.5, steps=60)
    torch.testing.assert_close(found, soft_threshold(a, 1.5), atol=1e-6, rtol=0)


def test_fista_takes_fewer_steps_than_plain_ones_would():
    """The bound of FISTA's proof: excess <= 2 |start - optimum|^2 / (rate (steps + 1)^2)."""
    random = torch.Generator().manual_seed(0)
    matrix = torch.randn(30, 20, generator=random, dtype=torch.float64) @ torch.diag(torch.logspace(0, -2, 20).double())
    target = torch.randn(30, generator=random, dtype=torch.float64)
    rate = 1 / torch.linalg.matrix_norm(matrix, 2) ** 2

    def value(z):
        return float((matrix @ z - target).square().sum() / 2 + 0.1 * z.abs().sum())

    def found(steps):
        return fista(lambda z: matrix.T @ (matrix @ z - target), target.new_zeros(20), rate, 0.1 * rate, steps)

    best = found(20_000)
    for steps in (10, 50, 200):
        assert value(found(steps)) - value(best) <= 2 * float(best.square().sum() / rate) / (steps + 1) ** 2


def test_decibels():
    signal = torch.tensor([10.0, 0, 0])
    assert snr(signal, torch.tensor([9.0, 0, 0])) == pytest.approx(20)
    assert snr(signal, torch.zeros(3)) == pytest.approx(0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_energy_that_is_no_number_ends_learning(value, monkeypatch):
    encoder = Encoder(torch.ones(2, 3), torch.ones(2), torch.ones(3, 2))
    monkeypatch.setattr(Encoder, "gradients", lambda *_: value)
    with pytest.raises(MultistageError, match=r"psd diverged in step 1 .* smaller psd.rate than 0.5"):
        learn(encoder, lambda count: torch.ones(count, 3), Energy(1.0), Course(1, 1, 0.5))
