import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from filters.sites import site
from scipy.optimize import linear_sum_assignment
from scipy.signal import convolve2d
from sklearn.decomposition import sparse_encode

from multistage.filters.convolutional_psd import ConvolutionalEncoder, region_side
from multistage.filters.patches import Patches
from multistage.filters.psd import psd
from multistage.filters.sparse_coding import Course, Energy, learn, quality
from multistage.layers import FilterBank, filter_bank
from multistage.network.net import connection_table
from multistage.registry.errors import ConfigError
from multistage.settings.tree import parse

MODULE = sys.modules["multistage.filters.psd"]  # the package's attribute is the function
TABLE = torch.tensor([[2, 0], [0, 1], [1, 2], [2, 1]])
K, UNITS, MAPS = 3, 4, 3


def gaussian(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def example(table, n=3, height=8, width=9):
    """An encoder that predicts nothing in particular, and regions."""
    fan_in = MAPS if table is None else table.shape[1]
    dictionary = gaussian(UNITS, fan_in, K, K, seed=1)
    dictionary /= torch.linalg.vector_norm(dictionary, dim=(1, 2, 3), keepdim=True)
    kernels = gaussian(UNITS, fan_in, K, K, seed=2) / 3
    encoder = ConvolutionalEncoder(kernels, 1 + gaussian(UNITS, seed=3) / 4, dictionary, MAPS, table)
    return encoder, gaussian(n, MAPS, height, width, seed=4)


def slow_reconstruction(encoder, z):
    """Sum of D_i * z_i over whole regions, then without the border that some codes do not reach."""
    n, units, rows, columns = z.shape
    whole = torch.zeros(n, MAPS, rows + K - 1, columns + K - 1, dtype=z.dtype)
    table = torch.arange(MAPS).expand(units, -1) if encoder.connections is None else encoder.connections
    for region in range(n):
        for unit in range(units):
            for place, source in enumerate(table[unit].tolist()):
                part = convolve2d(z[region, unit].numpy(), encoder.dictionary[unit, place].numpy())
                whole[region, source] += torch.from_numpy(part)
    return whole[:, :, K - 1 : 1 - K, K - 1 : 1 - K]


def slow_prediction(encoder, x):
    """g tanh(sum_j k_j * x_j) over the positions where kernels fit."""
    table = torch.arange(MAPS).expand(UNITS, -1) if encoder.connections is None else encoder.connections
    codes = []
    for region in x:
        for unit in range(UNITS):
            total = sum(
                convolve2d(region[source].numpy(), encoder.kernels[unit, place].numpy(), "valid")
                for place, source in enumerate(table[unit].tolist())
            )
            codes.append(encoder.gain[unit] * torch.tanh(torch.from_numpy(total)))
    return torch.stack(codes).view(len(x), UNITS, *codes[0].shape)


def slow_energy(encoder, x, z, penalty, prediction):
    error = x[:, :, K - 1 : 1 - K, K - 1 : 1 - K] - slow_reconstruction(encoder, z)
    surprise = z - slow_prediction(encoder, x)
    return (error**2).sum((1, 2, 3)) + penalty * z.abs().sum((1, 2, 3)) + prediction * (surprise**2).sum((1, 2, 3))


def reconstruction_matrix(encoder, shape):
    """[inner pixels, codes] of one region, column by column."""
    codes = torch.eye(shape.numel(), dtype=torch.float64).view(-1, *shape)
    return slow_reconstruction(encoder, codes).flatten(1).T


@pytest.mark.parametrize("table", [None, TABLE], ids=["all", "connected"])
def test_the_energy_that_is_minimised_is_its_definition(table):
    encoder, x = example(table)
    z = gaussian(3, UNITS, 6, 7, seed=5)
    found = Energy(0.4, 0.6)(encoder.target(x), encoder.reconstruct(z), z, encoder.predict(x))
    torch.testing.assert_close(found, slow_energy(encoder, x, z, 0.4, 0.6), rtol=1e-10, atol=0)


@pytest.mark.parametrize("table", [None, TABLE], ids=["all", "connected"])
def test_the_curvature_bounds_every_eigenvalue_and_not_by_much(table):
    encoder, x = example(table, height=16, width=16)
    matrix = reconstruction_matrix(encoder, torch.Size((UNITS, 14, 14)))
    greatest = float(torch.linalg.matrix_norm(matrix, 2) ** 2)
    assert greatest <= float(encoder.curvature(x.shape[2:])) <= 1.3 * greatest


@pytest.mark.parametrize("table", [None, TABLE], ids=["all", "connected"])
@pytest.mark.parametrize("prediction", [0.05, 1.0])
def test_codes_are_those_of_scikit_learn(prediction, table):
    encoder, x = example(table, n=2)
    predicted = encoder.predict(x)
    found = encoder.codes(x, predicted, Energy(0.6, prediction), 2000)
    matrix = reconstruction_matrix(encoder, predicted.shape[1:])
    target = torch.cat([encoder.target(x).flatten(1), prediction**0.5 * predicted.flatten(1)], 1)
    dictionary = torch.cat([matrix, prediction**0.5 * torch.eye(matrix.shape[1], dtype=torch.float64)])
    expected = sparse_encode(target.numpy(), dictionary.T.numpy(), algorithm="lasso_cd", alpha=0.3, max_iter=100_000)
    expected = torch.from_numpy(expected).view_as(found)
    ours, theirs = (slow_energy(encoder, x, z, 0.6, prediction).sum() for z in (found, expected))
    assert ours <= theirs * (1 + 1e-6)
    torch.testing.assert_close(found, expected, atol=5e-3, rtol=0)


@pytest.mark.parametrize("table", [None, TABLE], ids=["all", "connected"])
def test_gradients_are_those_of_the_energy(table):
    encoder, x = example(table)
    energy = Energy(0.4, 0.6)
    z = encoder.codes(x, encoder.predict(x), energy, 10)
    loss = encoder.gradients(x, energy, 10)
    assert loss == pytest.approx(float(slow_energy(encoder, x, z, 0.4, 0.6).mean()), rel=1e-10)
    for name, along in zip(("kernels", "gain", "dictionary"), (6, 7, 8), strict=True):
        value = getattr(encoder, name)
        direction = gaussian(*value.shape, seed=along)
        above, below = (
            slow_energy(replace(encoder, **{name: value + step * direction}), x, z, 0.4, 0.6).mean()
            for step in (1e-6, -1e-6)
        )
        assert float((value.grad * direction).sum()) == pytest.approx(float(above - below) / 2e-6, rel=1e-6)


def test_quality_is_its_definition():
    encoder, x = example(TABLE)
    found = quality(encoder, x, Energy(1.0, 0.5), search=400)
    predicted = slow_prediction(encoder, x)
    z = encoder.codes(x, predicted, Energy(1.0, 0.5), 400)
    target = x[:, :, 2:-2, 2:-2]

    def decibels(signal, estimate):
        return float(10 * torch.log10((signal**2).mean() / ((signal - estimate) ** 2).mean()))

    assert found == {
        "energy": pytest.approx(float(slow_energy(encoder, x, z, 1.0, 0.5).mean())),
        "reconstruction_snr": pytest.approx(decibels(target, slow_reconstruction(encoder, z))),
        "predicted_reconstruction_snr": pytest.approx(decibels(target, slow_reconstruction(encoder, predicted))),
        "prediction_snr": pytest.approx(decibels(z, predicted)),
        "active_fraction": pytest.approx(int((z != 0).sum()) / z.numel()),
    }


def start(bank, seed=0):
    """An encoder before it learns."""
    return ConvolutionalEncoder.start(bank, torch.Generator().manual_seed(seed), torch.device("cpu"))


def test_each_units_part_of_the_dictionary_stays_of_length_one_and_the_seed_decides():
    regions = Patches(gaussian(4, 3, 12, 12).float(), 10, torch.Generator().manual_seed(0)).draw(8)

    def found(seed):
        encoder = start(FilterBank(3, 4, 3, TABLE), seed)
        learn(encoder, lambda count: regions[:count], Energy(0.5), Course(4, 8, 0.05))
        return encoder

    encoder = found(0)
    torch.testing.assert_close(encoder.dictionary.flatten(1).norm(dim=1), torch.ones(4))
    assert all(torch.equal(a, b) for a, b in zip(encoder.learned, found(0).learned, strict=True))
    assert not torch.equal(encoder.kernels, found(1).kernels)


def planted(images=30, side=40, units=3, k=3):
    """Images that are sparse maps convolved with a few kernels, and the kernels."""
    random = torch.Generator().manual_seed(0)
    dictionary = torch.randn(units, 1, k, k, generator=random)
    dictionary /= torch.linalg.vector_norm(dictionary, dim=(1, 2, 3), keepdim=True)
    codes = torch.randn(images, units, side, side, generator=random)
    codes *= torch.rand(codes.shape, generator=random) < 0.005
    return torch.nn.functional.conv_transpose2d(codes, dictionary), dictionary


def test_a_planted_dictionary_is_found_again_but_for_sign_order_and_place():
    """With little weight on the encoder, which cannot tell neighbouring places apart as codes do."""
    images, dictionary = planted()
    patches = Patches(images, 32, torch.Generator().manual_seed(1))
    scale = 1 / float(images.std())
    energies = []
    encoder = start(FilterBank(1, 3, 3))
    course = Course(100, 4, 0.1)
    learn(
        encoder,
        lambda count: scale * patches.draw(count),
        Energy(2.0, 0.01),
        course,
        lambda *told: energies.append(told),
    )
    everywhere = torch.nn.functional.conv2d(dictionary, encoder.dictionary, padding=2)  # correlation at each offset
    match = everywhere.abs().amax((2, 3))
    found = match[linear_sum_assignment(match.numpy(), maximize=True)]
    assert (found > 0.98).all()
    assert len(energies) == 100


def test_the_energy_of_one_batch_falls():
    regions = Patches(gaussian(4, 3, 12, 12).float(), 10, torch.Generator().manual_seed(0)).draw(8)
    energies = []
    encoder, course = start(FilterBank(3, 4, 3, TABLE)), Course(40, 8, 0.05)
    learn(encoder, lambda count: regions, Energy(0.5), course, lambda step, energy: energies.append(energy))
    assert energies[-1] < 0.9 * energies[0]
    assert sum(after > before for before, after in pairwise(energies)) <= 4


@pytest.mark.parametrize("fan_in", [None, 3])
def test_the_filter_bank_computes_what_the_encoder_predicts(fan_in, plan, monkeypatch):
    table = None if fan_in is None else connection_table(5, 8, fan_in, torch.Generator().manual_seed(1)).flip(1)
    bank = FilterBank(5, 8, 4, table)
    images = 3 * gaussian(6, 5, 18, 17, dtype=torch.float32)
    learned = {}

    def spy(encoder, draw, *rest):
        learned.update(encoder=encoder, shape=draw(1).shape)
        learn(encoder, draw, *rest)

    monkeypatch.setattr(MODULE, "learn", spy)
    monkeypatch.setattr(ConvolutionalEncoder, "tested", 16)
    config = plan(
        "filters=psd", "psd.convolutional=true", "psd.stage1.steps=2", "psd.stage2.steps=2", "psd.batch_size=32"
    ).config
    found = psd(parse(config).filters, site(config, 1, bank, lambda limit: images[:limit]))
    assert learned["shape"] == (1, 5, 16, 16)
    encoder = learned["encoder"]
    expected = encoder.predict(found.measured["scale"] * images)
    assert found.measured["scale"] == pytest.approx(1 / 3, rel=0.05)
    found.install(bank)
    torch.testing.assert_close(bank(images), expected, atol=1e-5, rtol=0)
    spread_out = filter_bank(images, encoder.kernels * found.measured["scale"], encoder.gain, None, table)
    torch.testing.assert_close(spread_out, expected, atol=1e-5, rtol=0)


def test_regions_are_four_kernels_wide_where_maps_are():
    assert region_side(9, 143) == 36
    assert region_side(9, 26) == 26


def test_maps_without_an_inner_part_are_refused(plan):
    typed = ("data=fake", "geometry=mnist", "filters=psd", "geometry.stage2.kernel=7", "geometry.stage2.step=1")
    plan(*typed)
    with pytest.raises(ConfigError) as refusal:
        plan(*typed, "psd.convolutional=true")
    assert "needs maps of 13 pixels a side for geometry.stage2.kernel=7, which sees 12" in str(refusal.value)
    assert "\n" not in str(refusal.value)
