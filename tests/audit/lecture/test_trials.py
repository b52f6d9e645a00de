import math

import pytest
import torch

from audit.instruments.activations import Course
from audit.lecture import trials

LOSSES = {
    "plain": {0.005: 1.5, 0.02: 0.5, 0.08: math.nan},
    "better": {0.005: 0.5, 0.02: 0.7, 0.08: 0.2},
}
"""Of every step of an invented training; a seed adds a hundredth, and two with the operation."""


@pytest.fixture(autouse=True)
def _invented(monkeypatch):
    def course(material, model, rate, seed):
        extra = 0.01 * seed * (2 if model == "better" else 1)
        losses = torch.full((20,), LOSSES[model][rate] + extra, dtype=torch.float64)
        return Course(losses, *[torch.zeros(20, 1)] * 4)

    monkeypatch.setattr(trials, "course", course)


def test_losses_are_compared_seed_by_seed_at_equal_rates_and_at_each_ones_best():
    found = trials.compared(None, "plain", "better", "x")
    for name, difference in (("slow", -1), ("equal", 0.2), ("best", 0.2 - 0.5)):
        assert found[f"x_{name}"].tolist() == pytest.approx([difference + 0.01 * seed for seed in range(trials.SEEDS)])


def test_trainings_that_end_above_chance_or_nowhere_are_counted():
    found = trials.compared(None, "plain", "better", "x")
    assert (found["x_lost"], found["x_lost_without"]) == (0, trials.SEEDS)
    assert trials.late_losses(None, "plain", 0.08).tolist() == [trials.DIVERGED] * trials.SEEDS


def test_curves_say_what_diverged():
    assert trials.curves(None, {"plain": "without", "better": "with"}) != trials.curves(None, {"better": "with"})
