"""Simultaneous intervals of the difference from the best: published critical values, and coverage."""

import numpy as np
import pytest
from scipy.stats import t

from audit.grid.places import Place
from audit.grid.ranking import dunnett, ranking
from audit.grid.variance import Noise, noise


def place(number):
    return Place(str(number), "lcn", "average")


@pytest.mark.parametrize(
    ("comparisons", "freedom", "value"),
    [(2, 10**6, 1.92), (5, 10**6, 2.23), (9, 10**6, 2.42), (5, 20, 2.39), (9, 60, 2.48)],
)
def test_critical_values_are_those_of_dunnetts_table(comparisons, freedom, value):
    assert dunnett(comparisons, freedom) == pytest.approx(value, abs=0.006)


@pytest.mark.parametrize("freedom", [3, 10, 117])
def test_one_comparison_is_students(freedom):
    assert dunnett(1, freedom) == pytest.approx(t.ppf(0.95, freedom), abs=1e-3)


def test_intervals_hold_together_as_often_as_they_say():
    random, truth = np.random.default_rng(0), np.array([1.0, 1.0, 0.8, 0.0, 0.0, -1.0])
    right = []
    for _ in range(400):
        values = truth[:, None] + random.normal(0, 0.7, (6, 4)) + random.normal(0, 3, 4)
        measured = {place(i): row.tolist() for i, row in enumerate(values)}
        found = {each.place: each.against for each in ranking(measured, noise(measured))}
        leads = [truth[i] - np.delete(truth, i).max() for i in range(6)]
        right.append(all(found[place(i)][0] <= lead <= found[place(i)][1] for i, lead in enumerate(leads)))
    assert np.mean(right) >= 0.93


def test_a_clear_winner_is_the_only_one_that_may_be_best():
    measured = {place(i): [50.0 - 10 * i] * 4 for i in range(5)}
    found = ranking(measured, Noise(0.5, 12))
    assert [each.may_be_best for each in found] == [True, False, False, False, False]
    assert found[0].against[0] == 0
    assert [each.mean for each in found] == [50, 40, 30, 20, 10]


def test_equals_may_all_be_best():
    assert all(each.may_be_best for each in ranking({place(i): [50.0] * 4 for i in range(5)}, Noise(0.5, 12)))
