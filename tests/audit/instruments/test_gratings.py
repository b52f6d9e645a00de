import math

import numpy as np
import pytest
import torch
from torch import nn

from audit.instruments.gratings import (
    PHASES,
    amplitude,
    circular_correlation,
    correlation,
    frequencies,
    gratings,
    orientation,
    resampled,
    responses,
)
from multistage import AveragePool, FilterBank
from multistage.filters.gabor import gabor_bank


def uniform(n, seed=0):
    return torch.rand(n, 9, 9, generator=torch.Generator().manual_seed(seed)) - 0.5


def test_frequencies_are_one_of_each_pair_and_none_is_its_own_alias():
    found = frequencies(7)
    assert len(found) == (7 * 7 - 1) // 2
    pairs = {tuple((7 * f).round().int().tolist()) for f in torch.cat([found, -found])}
    assert pairs == {(r, c) for r in range(-3, 4) for c in range(-3, 4)} - {(0, 0)}


def test_amplitudes_are_those_of_the_discrete_fourier_transform():
    chosen = frequencies(11)
    spectra = np.abs(np.fft.fft2(uniform(3).numpy(), s=(11, 11)))
    rows, columns = (11 * chosen).round().long().remainder(11).unbind(1)
    np.testing.assert_allclose(amplitude(uniform(3), chosen), spectra[:, rows, columns], rtol=1e-5)


def test_gratings_have_unit_energy_and_their_frequency():
    chosen = frequencies(19)[::20]
    for phase in PHASES:
        waves = gratings(chosen, 19, phase)
        torch.testing.assert_close(waves.square().mean((1, 2, 3)), torch.ones(len(chosen)))
        assert torch.equal(amplitude(waves[:, 0], frequencies(19)).argmax(1), torch.arange(0, 171, 20))


def test_orientations_are_across_the_bars_and_repeat_after_half_a_turn():
    chosen = torch.tensor([[0.0, 0.2], [0.2, 0.0], [0.1, 0.1], [-0.1, 0.1], [-0.1, -0.1]])
    expected = torch.tensor([0, 0.5, 0.25, 0.75, 0.25]) * math.pi
    torch.testing.assert_close(orientation(chosen), expected)
    bank = gabor_bank(8, 9)
    assert orientation(frequencies(37)[amplitude(bank, frequencies(37)).argmax(1)]).unique().numel() >= 4


def test_a_unit_that_averages_squares_prefers_the_peak_of_its_filter_s_spectrum():
    """Saxe et al. 2011: without exception, whatever the filter."""

    class Square(nn.Module):
        def forward(self, x):
            return x.square()

    bank = FilterBank(1, 20, 9, squash="none")
    with torch.no_grad():
        bank.kernels[:, 0] = uniform(20)
    unit = nn.Sequential(bank, Square(), AveragePool(20, 20), nn.Flatten())
    found = responses(unit, frequencies(37), 28).argmax(1)
    assert torch.equal(found, amplitude(uniform(20), frequencies(37)).argmax(1))


def test_responses_do_not_depend_on_the_size_of_batches():
    bank = FilterBank(1, 3, 9)
    unit = nn.Sequential(bank, AveragePool(4, 4), nn.Flatten())
    chosen = frequencies(7)
    one, other = (responses(unit, chosen, 12, batch) for batch in (5, 64))
    torch.testing.assert_close(one, other)
    expected = torch.stack([unit(gratings(chosen[3:4], 12, phase)) for phase in PHASES]).mean(0)[0]
    torch.testing.assert_close(one[:, 3], expected.detach())


def test_orientations_that_are_equal_correlate_fully_and_independent_ones_not():
    random = torch.Generator().manual_seed(0)
    a, b = (math.pi * torch.rand(500, generator=random) for _ in range(2))
    assert circular_correlation(a, a) == pytest.approx(1)
    assert circular_correlation(a, -a) == pytest.approx(-1)
    assert circular_correlation(a, b) == pytest.approx(0, abs=0.1)


def test_neither_turning_all_nor_half_turns_change_a_circular_correlation():
    random = torch.Generator().manual_seed(1)
    a = math.pi * torch.rand(50, generator=random)
    b = a + 0.3 * torch.randn(50, generator=random)
    half_turns = math.pi * torch.randint(-1, 2, (50,), generator=random)
    assert 0.5 < circular_correlation(a, b) < 1
    assert circular_correlation(a + half_turns, b + 1.1) == pytest.approx(circular_correlation(a, b), abs=1e-5)


def test_the_bootstrap_covers_the_standard_error_of_a_correlation():
    """Of 400 pairs that correlate by 0.6: Fisher's interval."""
    random = torch.Generator().manual_seed(2)
    a = torch.randn(400, generator=random)
    b = 0.6 * a + 0.8 * torch.randn(400, generator=random)
    low, high = resampled(correlation, a, b)
    half = 1.96 / 397**0.5
    z = math.atanh(correlation(a, b))
    assert correlation(a, b) == pytest.approx(0.6, abs=0.08)
    assert low == pytest.approx(math.tanh(z - half), abs=0.02)
    assert high == pytest.approx(math.tanh(z + half), abs=0.02)
