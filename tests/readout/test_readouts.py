import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from multistage.network.randomness import generator
from multistage.readout import Task, lbfgs, sgd
from multistage.readout.lbfgs import fit_lbfgs
from multistage.readout.sgd import fit_sgd
from multistage.registry.errors import MultistageError


def clusters(samples, features, classes, scale=1.0, seed=0):
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % classes
    centres = torch.randn(classes, features, generator=random)
    return scale * (centres[labels] + torch.randn(samples, features, generator=random)), labels


def demo_loop(features, labels, classes, seed, epochs, rate, start):
    """The authors' loop as it stands in their demo, one sample at a time, with nothing clever."""
    x = features.double()
    w = torch.empty(classes, x.shape[1], dtype=torch.float64).uniform_(
        -start, start, generator=generator(seed, "classifier")
    )
    b = torch.zeros(classes, dtype=torch.float64)
    order = torch.randperm(len(x), generator=generator(seed, "order"))
    for epoch in range(epochs):
        for i in order:
            error = torch.softmax(w @ x[i] + b, 0)
            error[labels[i]] -= 1
            w -= rate / (1 + 0.03 * epoch) * error[:, None] * x[i]
            b -= rate / (1 + 0.03 * epoch) * error
    return w, b


@pytest.fixture
def double(monkeypatch):
    """Readouts return float64, so that they can be compared to the last digits."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


@pytest.mark.parametrize(("rate", "start"), [(0.01, 0.015), (0.002, 0)])
@pytest.mark.parametrize("block", [1, 7, 128])
@pytest.mark.parametrize(("samples", "features"), [(150, 170), (150, 20)], ids=["in the span", "direct"])
def test_sgd_is_the_demos_loop(samples, features, block, rate, start, double, monkeypatch):
    monkeypatch.setattr(sgd, "BLOCK", block)
    x, y = clusters(samples, features, 3)
    x += 3
    weight, bias = fit_sgd(Task(x, y, 3, seed=4), rate, start, epochs=5)
    expected_weight, expected_bias = demo_loop(x, y, 3, seed=4, epochs=5, rate=rate, start=start)
    torch.testing.assert_close(weight, expected_weight, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(bias, expected_bias, rtol=1e-10, atol=1e-10)


def test_sgd_reports_every_epoch_with_a_falling_loss():
    x, y = clusters(60, 20, 3)
    reports = []
    fit_sgd(Task(x, y, 3, report=lambda epoch, loss: reports.append((epoch, loss))))
    assert [epoch for epoch, _ in reports] == list(range(1, 31))
    assert reports[-1][1] < reports[0][1] / 2


@pytest.mark.parametrize(("samples", "features"), [(40, 90), (200, 15)], ids=["in the span", "full rank"])
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("penalty", [1e-1, 1e-3])
def test_lbfgs_finds_the_minimum_that_scikit_learn_finds(samples, features, classes, penalty):
    x, y = clusters(samples, features, classes, scale=0.01)
    x[:, 0] *= 50  # axes of very different length
    x[:, 1] = 3  # and one of no length
    weight, bias = fit_lbfgs(Task(x, y, classes), penalty, tolerance=1e-5)
    centred = (x - x.mean(0)).double()
    scaled = (centred / centred.square().mean().sqrt()).numpy()
    oracle = LogisticRegression(C=1 / (penalty * samples), tol=1e-10, max_iter=100_000).fit(scaled, y.numpy())
    ours = torch.softmax(x.double() @ weight.double().T + bias.double(), 1).numpy()
    if classes == 2:  # scikit-learn penalises one vector w instead of the pair (-w/2, w/2)
        oracle = LogisticRegression(C=2 / (penalty * samples), tol=1e-10, max_iter=100_000).fit(scaled, y.numpy())
    np.testing.assert_allclose(ours, oracle.predict_proba(scaled), atol=2e-4)


@pytest.mark.parametrize(("samples", "features"), [(60, 90), (200, 15)], ids=["in the span", "full rank"])
@pytest.mark.parametrize("penalty", [1e-1, 1e-3, 1e-5])
def test_the_minimum_that_lbfgs_finds_is_one(samples, features, penalty, double):
    """The gradient is 0 there, taken by autograd of the objective as the docstring has it, in features as they are."""
    x, y = clusters(samples, features, 5)
    x = (x * torch.logspace(0, -4, features)).double()
    scale = (x - x.mean(0)).square().mean().sqrt()
    weight, bias = (part.requires_grad_() for part in fit_lbfgs(Task(x, y, 5), penalty, tolerance=1e-8))
    loss = torch.nn.functional.cross_entropy(x @ weight.T + bias, y) + penalty / 2 * (scale * weight).square().sum()
    loss.backward()
    assert (weight.grad / scale).abs().max() < 1e-6
    assert bias.grad.abs().max() < 1e-6


def test_products_in_float32_lead_to_the_same_minimum(monkeypatch):
    x, y = clusters(60, 90, 5)
    mixed = fit_lbfgs(Task(x, y, 5), tolerance=1e-6)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    exact = fit_lbfgs(Task(x, y, 5), tolerance=1e-6)
    for one, other in zip(mixed, exact, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-3, atol=1e-5)


def test_a_search_that_float32_cannot_finish_goes_on_in_float64(monkeypatch):
    x, y = clusters(60, 90, 5)
    types, stage = [], lbfgs._stage
    monkeypatch.setattr(lbfgs, "_stage", lambda factors, *rest: types.append(factors.dtype) or stage(factors, *rest))
    fit_lbfgs(Task(x, y, 5), tolerance=1e-12)
    assert types[0] == torch.float32
    assert types[-1] == torch.float64


def test_the_step_length_is_where_the_slope_has_nearly_gone():
    random = torch.Generator().manual_seed(0)
    targets = torch.eye(4)[torch.arange(30) % 4].double()
    scores = torch.zeros(30, 4, dtype=torch.float64)
    for size in (1e-3, 1.0, 1e3):
        along = size * (targets + torch.rand(30, 4, generator=random) - 0.5)
        length = lbfgs._length(scores, along, targets, 0.0, 1e-3)

        def slope(at, along=along):
            at = torch.tensor(at, requires_grad=True, dtype=torch.float64)
            loss = -(targets * (scores + at * along).log_softmax(1)).sum() / 30 + 1e-3 / 2 * at**2
            return torch.autograd.grad(loss, at)[0].item()

        assert slope(0.0) < 0
        assert abs(slope(length)) <= abs(slope(0.0)) / 3


def test_lbfgs_does_not_depend_on_the_scale_of_features():
    x, y = clusters(50, 20, 4)
    weight, bias = fit_lbfgs(Task(x, y, 4), tolerance=1e-5)
    for factor, shift in ((1e-4, 0), (1e3, 7)):
        other_weight, other_bias = fit_lbfgs(Task(factor * x + shift, y, 4), tolerance=1e-5)
        before, after = x @ weight.T + bias, (factor * x + shift) @ other_weight.T + other_bias
        torch.testing.assert_close(before, after, rtol=1e-3, atol=1e-2)


def test_lbfgs_says_when_it_did_not_converge():
    x, y = clusters(200, 15, 5)
    with pytest.raises(MultistageError, match="max_iter=3"):
        fit_lbfgs(Task(x, y, 5), max_iter=3)
