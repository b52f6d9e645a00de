from dataclasses import replace

import pytest
import torch

from multistage.readout import Task, span
from multistage.readout.lbfgs import fit_lbfgs
from multistage.readout.sgd import fit_sgd


@pytest.fixture(params=[(7, 11), (11, 7)], ids=["wide", "tall"])
def x(request, monkeypatch):
    monkeypatch.setattr(span, "COLUMNS", 4)
    monkeypatch.setattr(span, "ROWS", 3)
    return torch.rand(request.param, generator=torch.Generator().manual_seed(0)) + 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gram_matrix_is_that_of_the_samples(x, dtype):
    x = x.to(dtype)
    exact = x.double().clone()
    products = span.gram(x)
    assert torch.equal(x.double(), exact)
    inner = products["centred"] + products["offset"][:, None] + products["offset"]
    torch.testing.assert_close(inner, exact @ exact.T, rtol=1e-13, atol=0)
    centred = exact - exact.mean(0)
    torch.testing.assert_close(products["centred"], centred @ centred.T, rtol=1e-13, atol=1e-13)
    assert torch.equal(products["centred"], products["centred"].T)


def test_products_in_pieces(x):
    matrix, other = torch.rand(x.shape[1], 2).double(), torch.rand(len(x), 2).double()
    torch.testing.assert_close(span.times(x, matrix), x.double() @ matrix)
    torch.testing.assert_close(span.transposed_times(x, other), x.double().T @ other)


def test_coordinates_are_the_samples_in_other_axes(x):
    axes = span.PrincipalAxes.of(x)
    standardised = x.double() - x.double().mean(0)
    standardised /= standardised.square().mean().sqrt()
    z = axes.coordinates
    torch.testing.assert_close(z @ z.T, standardised @ standardised.T)
    torch.testing.assert_close(z.T @ z / len(x), axes.variances.diag(), rtol=1e-10, atol=1e-10)
    assert z.shape[1] == min(len(x) - 1, x.shape[1])
    weights = torch.rand(z.shape[1], 3).double()
    there = axes.in_features(weights)
    torch.testing.assert_close((x.double() - axes.mean) @ there, z @ weights)


def test_what_depends_on_features_alone_is_made_once_for_both_readouts(x):
    kept, made = {}, []

    def keep(name, build):
        if name not in kept:
            made.append(name)
            kept[name] = build()
        return kept[name]

    task = Task(x, torch.arange(len(x)) % 2, 2)
    keeping = replace(task, keep=keep)
    for penalty in (1e-1, 1e-2):
        for alone, together in zip(fit_lbfgs(task, penalty), fit_lbfgs(keeping, penalty), strict=True):
            assert torch.equal(alone, together)
    for alone, together in zip(fit_sgd(task), fit_sgd(keeping), strict=True):
        assert torch.equal(alone, together)
    assert sorted(made) == (["axes", "gram"] if len(x) < x.shape[1] else ["axes"])
