"""Of both forms of PSD, of patches and of regions: energy, codes, gradients and quality, against their definitions."""

from dataclasses import replace

import pytest
import torch
from filters.encoders import EXAMPLES, gaussian, patches
from sklearn.decomposition import sparse_encode

from multistage.filters.sparse_coding import Energy, quality, soft_threshold
from multistage.registry.errors import MultistageError

each_example = pytest.mark.parametrize("kind", EXAMPLES)


@each_example
def test_the_energy_that_is_minimised_is_its_definition(kind):
    example = EXAMPLES[kind]()
    encoder, x = example.encoder, example.x
    z = gaussian(*encoder.predict(x).shape, seed=5)
    found = Energy(0.4, 0.6)(encoder.target(x), encoder.reconstruct(z), z, encoder.predict(x))
    torch.testing.assert_close(found, example.energy(z, 0.4, 0.6), rtol=1e-10, atol=0)


@pytest.mark.parametrize(
    ("kind", "penalty", "prediction"),
    [
        *(("patches", penalty, prediction) for penalty in (0.2, 1.5) for prediction in (0.0, 0.3, 1.0)),
        *((kind, 0.6, prediction) for kind in EXAMPLES if kind != "patches" for prediction in (0.05, 1.0)),
    ],
)
def test_codes_are_those_of_scikit_learn(kind, penalty, prediction):
    """An input longer by sqrt(alpha) times the predicted code, and a dictionary longer by sqrt(alpha) I: a lasso.

    scikit-learn minimises 1/2 |x - z B|^2 + alpha |z|_1, half of the energy.
    """
    example = EXAMPLES[kind](n=15 if kind == "patches" else 2)
    predicted = example.encoder.predict(example.x)
    found = example.encoder.codes(example.x, predicted, Energy(penalty, prediction), 3000)
    matrix = example.reconstruction(predicted.shape[1:])
    target = torch.cat([example.target.flatten(1), prediction**0.5 * predicted.flatten(1)], 1)
    dictionary = torch.cat([matrix, prediction**0.5 * torch.eye(matrix.shape[1], dtype=torch.float64)])
    lasso = {"algorithm": "lasso_cd", "alpha": penalty / 2, "max_iter": 100_000}
    expected = torch.from_numpy(sparse_encode(target.numpy(), dictionary.T.numpy(), **lasso)).view_as(found)
    ours, theirs = (example.energy(z, penalty, prediction).sum() for z in (found, expected))
    assert ours <= theirs * (1 + 1e-6)
    torch.testing.assert_close(found, expected, atol=2e-3 if kind == "patches" else 5e-3, rtol=0)
    assert ((found == 0).double().mean() - (expected == 0).double().mean()).abs() < 0.02


def test_without_a_dictionary_codes_are_a_soft_threshold_of_the_prediction():
    example = patches()
    example.encoder.dictionary.zero_()
    predicted = example.encoder.predict(example.x)
    found = example.encoder.codes(example.x, predicted, Energy(0.8, 2.0), 50)
    torch.testing.assert_close(found, soft_threshold(predicted, 0.8 / 2 / 2), atol=1e-12, rtol=0)


@pytest.mark.parametrize(("kind", "masked"), [*((kind, False) for kind in EXAMPLES), ("patches", True)])
def test_gradients_are_those_of_the_energy(kind, masked):
    example, energy = EXAMPLES[kind](), Energy(0.4, 0.6)
    encoder, x = example.encoder, example.x
    if masked:
        mask = (gaussian(20, 12, seed=7) > 0).double()
        encoder = replace(encoder, mask=mask)
    z = encoder.codes(x, encoder.predict(x), energy, 10)
    loss = encoder.gradients(x, energy, 10)
    assert loss == pytest.approx(float(example.energy(z, 0.4, 0.6).mean()), rel=1e-10)
    for number, name in enumerate(("kernels", "gain", "dictionary")):
        value = getattr(encoder, name)
        direction = gaussian(*value.shape, seed=6 + number)
        if masked and name != "gain":
            seen = mask if name == "kernels" else mask.T
            assert not value.grad[seen == 0].any()
            direction *= seen
        above, below = (
            example.energy(z, 0.4, 0.6, replace(encoder, **{name: value + step * direction})).mean()
            for step in (1e-6, -1e-6)
        )
        assert float((value.grad * direction).sum()) == pytest.approx(float(above - below) / 2e-6, rel=1e-6)


@each_example
def test_quality_is_its_definition(kind):
    example, energy = EXAMPLES[kind](), Energy(1.0, 0.5)
    encoder, x = example.encoder, example.x
    found = quality(encoder, x, energy, search=500)
    predicted = example.predict(encoder, x)
    z = encoder.codes(x, predicted, energy, 500)

    def decibels(signal, estimate):
        return float(10 * torch.log10((signal**2).mean() / ((signal - estimate) ** 2).mean()))

    assert found == {
        "energy": pytest.approx(float(example.energy(z, 1.0, 0.5).mean())),
        "reconstruction_snr": pytest.approx(decibels(example.target, example.reconstruct(encoder, z))),
        "predicted_reconstruction_snr": pytest.approx(
            decibels(example.target, example.reconstruct(encoder, predicted))
        ),
        "prediction_snr": pytest.approx(decibels(z, predicted)),
        "active_fraction": pytest.approx(int((z != 0).sum()) / z.numel()),
    }
    assert 0 < found["active_fraction"] < 1


def test_a_penalty_that_leaves_no_code_is_refused():
    with pytest.raises(MultistageError, match="penalty of 1e\\+06 makes all codes 0"):
        quality(patches().encoder, patches().x, Energy(1e6), search=5)


@pytest.mark.parametrize("kind", [kind for kind in EXAMPLES if kind != "patches"])
def test_the_curvature_bounds_every_eigenvalue_and_not_by_much(kind):
    example = EXAMPLES[kind](height=16, width=16)
    matrix = example.reconstruction(example.encoder.predict(example.x).shape[1:])
    greatest = float(torch.linalg.matrix_norm(matrix, 2) ** 2)
    assert greatest <= float(example.encoder.curvature(example.x.shape[2:])) <= 1.3 * greatest
