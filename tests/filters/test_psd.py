import sys
from dataclasses import replace

import pytest
import torch
from filters.sites import site
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import sparse_encode

from multistage.filters.convolutional_psd import ConvolutionalEncoder
from multistage.filters.psd import Encoder, psd
from multistage.filters.sparse_coding import Course, Energy, learn, quality, soft_threshold
from multistage.layers import FilterBank
from multistage.network.net import connection_table
from multistage.registry.errors import ConfigError, MultistageError
from multistage.settings.tree import parse
from multistage.train import filters, protocol
from multistage.train.restore import make_network

MODULE = sys.modules["multistage.filters.psd"]  # the package's `psd` is the function


def gaussian(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def example(d=12, units=20, n=15):
    """An encoder that predicts nothing in particular, and patches."""
    dictionary = gaussian(d, units, seed=1)
    encoder = Encoder(gaussian(units, d, seed=2) / 3, 1 + gaussian(units, seed=3) / 4, dictionary)
    encoder.rescale()
    return encoder, gaussian(n, d, seed=4)


def slow_energy(encoder, x, z, penalty, prediction):
    """The energy of each patch, one number after the other."""
    found = []
    for patch, code in zip(x.tolist(), z.tolist(), strict=True):
        total = 0.0
        for i, row in enumerate(encoder.dictionary.tolist()):
            total += (patch[i] - sum(b * c for b, c in zip(row, code, strict=True))) ** 2
        for filter, gain, c in zip(encoder.kernels.tolist(), encoder.gain.tolist(), code, strict=True):
            inner = torch.tensor(sum(k * v for k, v in zip(filter, patch, strict=True)), dtype=torch.float64)
            total += penalty * abs(c) + prediction * (c - gain * float(torch.tanh(inner))) ** 2
        found.append(total)
    return torch.tensor(found, dtype=torch.float64)


def patches_of(data, seed=1):
    """An endless supply of rows of data."""
    random = torch.Generator().manual_seed(seed)
    return lambda count: data[torch.randint(len(data), (count,), generator=random)]


def test_the_energy_that_is_minimised_is_its_definition():
    encoder, x = example()
    z = gaussian(15, 20, seed=5)
    found = Energy(0.4, 0.6)(encoder.target(x), encoder.reconstruct(z), z, encoder.predict(x))
    torch.testing.assert_close(found, slow_energy(encoder, x, z, 0.4, 0.6), rtol=1e-12, atol=0)


@pytest.mark.parametrize("prediction", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("penalty", [0.2, 1.5])
def test_codes_are_those_of_scikit_learn(penalty, prediction):
    """A patch longer by sqrt(alpha) times the predicted code, and a dictionary longer by sqrt(alpha) I: a lasso.

    scikit-learn minimises 1/2 |x - z B|^2 + alpha |z|_1, half of the energy.
    """
    encoder, x = example()
    predicted = encoder.predict(x)
    found = encoder.codes(x, predicted, Energy(penalty, prediction), 3000)
    identity = torch.eye(20, dtype=torch.float64)
    target = torch.cat([x, prediction**0.5 * predicted], 1)
    dictionary = torch.cat([encoder.dictionary, prediction**0.5 * identity])
    expected = sparse_encode(
        target.numpy(), dictionary.T.numpy(), algorithm="lasso_cd", alpha=penalty / 2, max_iter=100_000
    )
    energy = Energy(penalty, prediction)
    ours, theirs = (energy(x, encoder.reconstruct(z), z, predicted).sum() for z in (found, torch.from_numpy(expected)))
    assert ours <= theirs * (1 + 1e-6)
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=2e-3, rtol=0)
    assert ((found == 0).double().mean() - (expected == 0).mean()).abs() < 0.02


def test_without_a_dictionary_codes_are_a_soft_threshold_of_the_prediction():
    encoder, x = example()
    encoder.dictionary.zero_()
    predicted = encoder.predict(x)
    found = encoder.codes(x, predicted, Energy(0.8, 2.0), 50)
    torch.testing.assert_close(found, soft_threshold(predicted, 0.8 / 2 / 2), atol=1e-12, rtol=0)


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_by_hand_are_those_of_autograd(masked):
    encoder, x = example()
    energy = Energy(0.4, 0.6)
    mask = (gaussian(20, 12, seed=7) > 0).double() if masked else None
    encoder = replace(encoder, mask=mask)
    z = encoder.codes(x, encoder.predict(x), energy, 10)
    loss = encoder.gradients(x, energy, 10)
    leaves = Encoder(*(tensor.clone().requires_grad_() for tensor in encoder.learned))
    expected = energy(x, leaves.reconstruct(z), z, leaves.predict(x)).mean()
    assert loss == pytest.approx(float(expected.detach()), rel=1e-12)
    expected.backward()
    if masked:
        leaves.kernels.grad *= mask
        leaves.dictionary.grad *= mask.T
    for found, leaf in zip(encoder.learned, leaves.learned, strict=True):
        torch.testing.assert_close(found.grad, leaf.grad, rtol=1e-10, atol=1e-12)


def start(in_maps, units, size, connections=None, seed=0):
    """An encoder before it learns of patches of in_maps * size * size values."""
    bank = FilterBank(in_maps, units, size, connections)
    return Encoder.start(bank, torch.Generator().manual_seed(seed), torch.device("cpu"))


def test_what_is_not_connected_stays_zero_and_columns_stay_of_length_one():
    encoder = start(6, 10, 2, connection_table(6, 10, 4, torch.Generator().manual_seed(3)))
    mask = encoder.mask
    assert mask.sum(1).tolist() == [16] * 10
    learn(encoder, patches_of(gaussian(500, 24).float()), Energy(0.5), Course(30, 16, 0.05))
    assert (encoder.kernels[mask == 0] == 0).all()
    assert (encoder.dictionary.T[mask == 0] == 0).all()
    assert (encoder.kernels[mask == 1] != 0).all()
    assert (encoder.dictionary.T[mask == 1] != 0).all()
    torch.testing.assert_close(encoder.dictionary.norm(dim=0), torch.ones(10))


def test_the_seed_decides_and_nothing_else():
    def found(seed):
        encoder = start(1, 5, 3, seed=seed)
        learn(encoder, patches_of(gaussian(100, 9).float()), Energy(0.5), Course(5, 8, 0.05))
        return encoder.learned

    assert all(torch.equal(a, b) for a, b in zip(found(0), found(0), strict=True))
    assert not torch.equal(found(0)[0], found(1)[0])


def planted(n=4000, d=20, units=12, active=2):
    """Sums of a few columns of a dictionary, and the dictionary."""
    random = torch.Generator().manual_seed(0)
    dictionary = torch.randn(d, units, generator=random)
    dictionary /= dictionary.norm(dim=0)
    where = torch.rand(n, units, generator=random).topk(active).indices
    strength = (1 + torch.rand(n, active, generator=random)) * (torch.rand(n, active, generator=random) - 0.5).sign()
    return torch.zeros(n, units).scatter_(1, where, strength) @ dictionary.T, dictionary


def test_a_planted_dictionary_is_found_again_but_for_sign_and_order():
    x, dictionary = planted()
    energies = []
    encoder = start(5, 12, 2, seed=3)
    course = Course(400, 64, 0.03)
    learn(encoder, patches_of(x), Energy(0.3, 1.0), course, lambda step, energy: energies.append(energy))
    match = (dictionary.T @ encoder.dictionary).abs()
    found = match[linear_sum_assignment(match.numpy(), maximize=True)]
    assert (found > 0.98).all()
    assert len(energies) == 400
    assert sum(energies[-50:]) < 0.5 * sum(energies[:50])


def test_quality_is_its_definition():
    encoder, x = example(n=40)
    found = quality(encoder, x, Energy(1.0, 0.5), search=500)
    predicted = encoder.gain * torch.tanh(torch.einsum("ud,nd->nu", encoder.kernels, x))
    z = encoder.codes(x, predicted, Energy(1.0, 0.5), 500)

    def decibels(signal, estimate):
        return float(10 * torch.log10((signal**2).mean() / ((signal - estimate) ** 2).mean()))

    assert found == {
        "energy": pytest.approx(float(slow_energy(encoder, x, z, 1.0, 0.5).mean())),
        "reconstruction_snr": pytest.approx(decibels(x, torch.einsum("du,nu->nd", encoder.dictionary, z))),
        "predicted_reconstruction_snr": pytest.approx(
            decibels(x, torch.einsum("du,nu->nd", encoder.dictionary, predicted))
        ),
        "prediction_snr": pytest.approx(decibels(z, predicted)),
        "active_fraction": pytest.approx(int((z != 0).sum()) / z.numel()),
    }
    assert 0 < found["active_fraction"] < 1


def test_a_penalty_that_leaves_no_code_is_refused():
    encoder, x = example()
    with pytest.raises(MultistageError, match="penalty of 1e\\+06 leaves all codes 0"):
        quality(encoder, x, Energy(1e6), search=5)


@pytest.mark.parametrize("fan_in", [None, 3])
def test_the_filter_bank_computes_what_the_encoder_predicts(fan_in, plan, monkeypatch):
    """Through the flip of the convolution, the scale of the patches, the connection table and its order."""
    table = None if fan_in is None else connection_table(5, 8, fan_in, torch.Generator().manual_seed(1)).flip(1)
    bank = FilterBank(5, 8, 4, table)
    images = 3 * gaussian(20, 5, 9, 11, dtype=torch.float32)
    encoders = []
    monkeypatch.setattr(MODULE, "learn", lambda encoder, *rest: encoders.append(encoder) or learn(encoder, *rest))
    config = plan("filters=psd", "psd.stage1.steps=5", "psd.stage2.steps=5", "psd.batch_size=16").config
    found = psd(parse(config).filters, site(config, 1, bank, lambda limit: images[:limit]))
    found.install(bank)
    assert found.measured["scale"] == pytest.approx(1 / 3, rel=0.02)
    y = bank(images)
    assert y.shape == (20, 8, 6, 8)
    for row, column in [(0, 0), (2, 3), (5, 7)]:
        patch = images[:, :, row : row + 4, column : column + 4]
        codes = encoders[0].predict(found.measured["scale"] * patch.flatten(1))
        torch.testing.assert_close(y[:, :, row, column], codes, atol=1e-5, rtol=0)


@pytest.mark.parametrize("convolutional", [False, True])
def test_filters_as_long_as_random_ones_are_the_learned_ones_but_for_their_length(convolutional, plan):
    bank = FilterBank(5, 8, 4, connection_table(5, 8, 3, torch.Generator().manual_seed(1)))
    images = gaussian(20, 5, 24, 24, dtype=torch.float32)

    def find(*typed):
        given = ("filters=psd", "psd.stage2.steps=5", "psd.batch_size=256")
        config = plan(*given, f"psd.convolutional={convolutional}", "geometry.stage2.kernel=3", *typed).config
        return psd(parse(config).filters, site(config, 2, bank, lambda limit: images[:limit]))

    learned, found = find(), find("psd.length=random", "geometry.stage2.filter_range=0.3")
    shorter = found.kernels / learned.kernels
    torch.testing.assert_close(shorter, shorter[:, :1, :1, :1].expand_as(shorter))
    length = 0.3 * 4 * (3 / 3) ** 0.5  # of uniform values in +- 0.3, on 3 maps of 4x4
    torch.testing.assert_close(found.kernels.flatten(1).norm(dim=1), torch.full((8,), length))
    assert torch.equal(found.gain, torch.ones(8))
    assert found.measured == learned.measured


def test_a_network_gets_filters_that_are_measured_reported_and_kept(plan):
    config = plan(
        "filters=psd", "psd.stage1.steps=3", "psd.stage2.steps=3", "psd.batch_size=16", "refine=false", "readout=lbfgs"
    ).config
    dataset = protocol.load_data(parse(config).data)
    train = torch.arange(8)
    told = []

    def make():
        net = make_network(parse(config), len(dataset.class_names))
        report = filters.initialise(
            parse(config),
            net,
            dataset,
            train,
            torch.device("cpu"),
            lambda *progress: told.append(progress),
        )
        return net, report

    net, report = make()
    assert [progress[:2] for progress in told] == [(stage, step) for stage in (1, 2) for step in (1, 2, 3)]
    assert len(report) == 2
    assert set(report[0]) == {
        "energy",
        "reconstruction_snr",
        "predicted_reconstruction_snr",
        "prediction_snr",
        "active_fraction",
        "scale",
    }
    again, same = make()
    assert len(told) == 6, "from the cache"
    assert same == report
    for a, b in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    random = make_network(parse(dict(config) | {"filters": "random"}), len(dataset.class_names))
    for bank, drawn in zip(net.filter_banks, random.filter_banks, strict=True):
        assert not torch.equal(bank.kernels, drawn.kernels)
        assert torch.equal(bank.connections, drawn.connections) if bank.connections is not None else True


@pytest.mark.parametrize("convolutional", [False, True])
def test_filters_depend_on_no_image_but_those_of_training(plan, monkeypatch, convolutional):
    config = plan(
        "filters=psd",
        "psd.stage1.steps=1",
        "psd.stage2.steps=1",
        "psd.batch_size=16",
        f"psd.convolutional={convolutional}",
    ).config
    dataset = protocol.load_data(parse(config).data)
    train = torch.arange(0, len(dataset.labels), 2)

    monkeypatch.setattr(ConvolutionalEncoder, "tested", 2)
    looked_at = set()
    pixels = type(dataset).pixels

    def spy(self, indices):
        looked_at.update(indices.tolist())
        return pixels(self, indices)

    monkeypatch.setattr(type(dataset), "pixels", spy)
    filters.initialise(parse(config), make_network(parse(config), 3), dataset, train, torch.device("cpu"))
    assert looked_at == set(train.tolist())


@pytest.mark.parametrize("setting", ["filter_bank.gain=false", "filter_bank.squash=none"])
def test_a_bank_without_gain_or_tanh_is_refused(plan, setting):
    plan(setting)
    with pytest.raises(ConfigError) as refusal:
        plan("filters=psd", setting)
    assert str(refusal.value).startswith(f"{setting} cannot be had with filters=psd")
    assert "\n" not in str(refusal.value)


def test_lines_of_progress_are_seconds_apart(plan, capsys, monkeypatch):
    clock = iter(float(second) for second in range(1, 40))
    monkeypatch.setattr(filters.time, "perf_counter", lambda: next(clock))
    show = filters.progress_lines(plan("filters=psd", "psd.stage1.steps=14", "psd.stage2.steps=14").settings.filters)
    for step in range(1, 15):
        show(2, step, 3.14159)
    assert capsys.readouterr().out.splitlines() == [
        "filters of stage 2  step 6/14  energy 3.1416  5.0 s",
        "filters of stage 2  step 11/14  energy 3.1416  10.0 s",
    ]


@pytest.mark.parametrize("progress", ["none", "lines"])
def test_a_run_that_shows_nothing_shows_nothing_of_its_filters(plan, capsys, monkeypatch, progress):
    monkeypatch.setattr(filters, "SECONDS", 0.0)
    run = plan("filters=psd", "psd.stage1.steps=2", "psd.batch_size=8", "refine=false", "readout=lbfgs", "stages=1")
    protocol.run(run, progress)
    assert ("filters of stage 1  step 2/2" in capsys.readouterr().out) == (progress == "lines")
