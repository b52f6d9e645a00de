"""Both forms of PSD, as they learn and as a bank gets their filters; see `test_encoders` for what they minimise."""

import sys
from itertools import pairwise

import pytest
import torch
from filters.encoders import TABLE, gaussian
from filters.sites import site
from scipy.optimize import linear_sum_assignment

from multistage.data import listed
from multistage.filters.convolutional_psd import ConvolutionalEncoder, region_side
from multistage.filters.methods.psd import Psd
from multistage.filters.patches import Patches
from multistage.filters.psd import Encoder, psd
from multistage.filters.sparse_coding import Course, Energy, learn
from multistage.filters.values import Site
from multistage.layers import FilterBank
from multistage.network.net import connection_table
from multistage.registry.errors import ConfigError
from multistage.settings.tree import parse
from multistage.train import filters, protocol
from multistage.train.restore import make_network


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def patches_of(data, seed=1):
    """An endless supply of rows of data."""
    generator = random(seed)
    return lambda count: data[torch.randint(len(data), (count,), generator=generator)]


# Learning


def start(form, *bank, seed=0):
    """An encoder of patches or regions before it learns, for a bank of these sizes."""
    return form.start(FilterBank(*bank), random(seed), torch.device("cpu"))


def test_what_is_not_connected_stays_zero_and_columns_stay_of_length_one():
    encoder = start(Encoder, 6, 10, 2, connection_table(6, 10, 4, random(3)))
    assert encoder.mask.sum(1).tolist() == [16] * 10
    learn(encoder, patches_of(gaussian(500, 24).float()), Energy(0.5), Course(30, 16, 0.05))
    for values in (encoder.kernels, encoder.dictionary.T):
        assert torch.equal(values != 0, encoder.mask != 0)
    torch.testing.assert_close(encoder.dictionary.norm(dim=0), torch.ones(10))


def of_patches(seed):
    encoder = start(Encoder, 1, 5, 3, seed=seed)
    learn(encoder, patches_of(gaussian(100, 9).float()), Energy(0.5), Course(5, 8, 0.05))
    return encoder


REGIONS = Patches(gaussian(4, 3, 12, 12).float(), 10, random()).draw(8)


def of_regions(seed, steps=4, report=lambda step, energy: None):
    encoder = start(ConvolutionalEncoder, 3, 4, 3, TABLE, seed=seed)
    learn(encoder, lambda count: REGIONS[:count], Energy(0.5), Course(steps, 8, 0.05), report)
    return encoder


@pytest.mark.parametrize("learned", [of_patches, of_regions])
def test_the_seed_decides_and_nothing_else(learned):
    first, again, other = (learned(seed).learned for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_each_units_part_of_a_dictionary_of_regions_stays_of_length_one():
    torch.testing.assert_close(of_regions(0).dictionary.flatten(1).norm(dim=1), torch.ones(4))


def test_the_energy_of_one_batch_falls():
    energies = []
    of_regions(0, 40, lambda step, energy: energies.append(energy))
    assert len(energies) == 40
    assert energies[-1] < 0.9 * energies[0]
    assert sum(after > before for before, after in pairwise(energies)) <= 4


def assert_is_found(match):
    """Each planted column has its own learned one; from how alike they are, but for sign and order."""
    assert (match[linear_sum_assignment(match.numpy(), maximize=True)] > 0.98).all()


def test_a_planted_dictionary_of_patches_is_found_again():
    """Patches are sums of two of its columns."""
    generator, energies = random(), []
    n, d, units, active = 4000, 20, 12, 2
    dictionary = torch.randn(d, units, generator=generator)
    dictionary /= dictionary.norm(dim=0)
    where = torch.rand(n, units, generator=generator).topk(active).indices
    signs = (torch.rand(n, active, generator=generator) - 0.5).sign()
    strength = (1 + torch.rand(n, active, generator=generator)) * signs
    x = torch.zeros(n, units).scatter_(1, where, strength) @ dictionary.T
    encoder, course = start(Encoder, 5, units, 2, seed=3), Course(400, 64, 0.03)
    learn(encoder, patches_of(x), Energy(0.3, 1.0), course, lambda step, energy: energies.append(energy))
    assert_is_found((dictionary.T @ encoder.dictionary).abs())
    assert len(energies) == 400
    assert sum(energies[-50:]) < 0.5 * sum(energies[:50])


def test_a_planted_dictionary_of_regions_is_found_again_wherever_its_kernels_lie():
    """With little weight on the encoder, which cannot tell neighbouring places apart as codes do."""
    generator = random()
    side, units, k = 40, 3, 3
    dictionary = torch.randn(units, 1, k, k, generator=generator)
    dictionary /= torch.linalg.vector_norm(dictionary, dim=(1, 2, 3), keepdim=True)
    codes = torch.randn(30, units, side, side, generator=generator)
    codes *= torch.rand(codes.shape, generator=generator) < 0.005
    images = torch.nn.functional.conv_transpose2d(codes, dictionary)
    patches, scale = Patches(images, 32, random(1)), 1 / float(images.std())
    encoder = start(ConvolutionalEncoder, 1, units, k)
    learn(encoder, lambda count: scale * patches.draw(count), Energy(2.0, 0.01), Course(100, 4, 0.1))
    everywhere = torch.nn.functional.conv2d(dictionary, encoder.dictionary, padding=2)  # correlation at each offset
    assert_is_found(everywhere.abs().amax((2, 3)))


# What a bank gets


PSD = ("filters=psd", "psd.stage1.steps=3", "psd.stage2.steps=3", "psd.batch_size=16")


@pytest.mark.parametrize("fan_in", [None, 3])
@pytest.mark.parametrize("convolutional", [False, True])
def test_the_filter_bank_computes_what_the_encoder_predicts(convolutional, fan_in, plan, monkeypatch):
    """Through the flip of the convolution, the scale of the patches, the connection table and its order."""
    table = None if fan_in is None else connection_table(5, 8, fan_in, random(1)).flip(1)
    bank, images = FilterBank(5, 8, 4, table), 3 * gaussian(20, 5, 18, 17, dtype=torch.float32)
    spied = []

    def spy(encoder, draw, *rest):
        learn(encoder, draw, *rest)
        spied.extend([encoder, draw(1).shape])

    monkeypatch.setattr(sys.modules["multistage.filters.psd"], "learn", spy)  # the package's `psd` is the function
    config = plan(*PSD, f"psd.convolutional={convolutional}").config
    found = psd(parse(config).filters, site(config, 1, bank, lambda limit: images[:limit]))
    found.install(bank)
    encoder, drawn = spied
    scale, y = found.measured["scale"], bank(images)
    assert scale == pytest.approx(1 / 3, rel=0.05)
    if convolutional:
        assert drawn == (1, 5, 16, 16)
        torch.testing.assert_close(y, encoder.predict(scale * images), atol=1e-5, rtol=0)
    else:
        for row, column in [(0, 0), (2, 3), (14, 13)]:
            patch = images[:, :, row : row + 4, column : column + 4]
            codes = encoder.predict(scale * patch.flatten(1))
            torch.testing.assert_close(y[:, :, row, column], codes, atol=1e-5, rtol=0)


@pytest.mark.parametrize("convolutional", [False, True])
def test_filters_as_long_as_random_ones_are_the_learned_ones_but_for_their_length(convolutional, plan):
    bank = FilterBank(5, 8, 4, connection_table(5, 8, 3, random(1)))
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
    settings = plan(*PSD, "refine=false", "readout=lbfgs").settings
    dataset, told = listed(settings.data), []

    def make():
        net = make_network(settings, len(dataset.class_names))
        given = settings, net, dataset, torch.arange(8), torch.device("cpu")
        return net, filters.initialise(*given, lambda *progress: told.append(progress))

    net, measured = make()
    assert [progress[:2] for progress in told] == [(stage, step) for stage in (1, 2) for step in (1, 2, 3)]
    assert len(measured) == 2
    snr = ("reconstruction_snr", "predicted_reconstruction_snr", "prediction_snr")
    assert set(measured[0]) == {"energy", *snr, "active_fraction", "scale"}
    again, same = make()
    assert len(told) == 6, "from the cache"
    assert same == measured
    for a, b in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    untouched = make_network(plan("refine=false", "readout=lbfgs").settings, len(dataset.class_names))
    for bank, drawn in zip(net.filter_banks, untouched.filter_banks, strict=True):
        assert not torch.equal(bank.kernels, drawn.kernels)
        assert torch.equal(bank.connections, drawn.connections) if bank.connections is not None else True


# What is refused and what is shown


@pytest.mark.parametrize("setting", ["filter_bank.gain=false", "filter_bank.squash=none"])
def test_a_bank_without_gain_or_tanh_is_refused(plan, setting):
    plan(setting)
    with pytest.raises(ConfigError) as refusal:
        plan("filters=psd", setting)
    assert str(refusal.value).startswith(f"{setting} does not go with filters=psd")
    assert "\n" not in str(refusal.value)


def test_regions_are_four_kernels_wide_where_maps_are_and_maps_without_an_inner_part_are_refused(plan):
    assert region_side(9, 143) == 36
    assert region_side(9, 26) == 26
    small = ("data=fake", "geometry=mnist", "filters=psd", "geometry.stage2.kernel=7", "geometry.stage2.step=1")
    plan(*small)
    with pytest.raises(ConfigError) as refusal:
        plan(*small, "psd.convolutional=true")
    assert "needs maps of 13 pixels a side for geometry.stage2.kernel=7, which sees 12" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_patches_of_one_value_are_refused(plan):
    plan("data=fake", "filters=psd", "geometry.stage2.kernel=1")
    with pytest.raises(ConfigError, match=r"geometry\.stage1\.kernel=1 on one map has patches of one value"):
        plan("data=fake", "filters=psd", "geometry.stage1.kernel=1")


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


@pytest.mark.parametrize("opposed", [True, False], ids=["colour", "gray"])
def test_filters_on_three_maps_are_of_all_of_them(opposed):
    """Stripes of red against green give filters whose red and green parts are opposed, gray ones equal parts."""
    side, number = 24, torch.arange(40.0)
    rows = torch.arange(side) * (0.5 + number[:, None] / 30) + number[:, None]
    stripes = rows.sin()[:, None, :, None].expand(-1, 1, -1, side)
    images = stripes * torch.tensor([1.0, -1.0 if opposed else 1.0, 0.0 if opposed else 1.0])[:, None, None]
    bank = FilterBank(3, 6, 5)
    method = Psd(penalty=(0.5,), steps=(300,), batch_size=64, rate=0.02)
    psd(method, Site(1, bank, lambda limit: images[:limit], 0.2, 0, torch.device("cpu"))).install(bank)
    red, green = bank.kernels.detach().flatten(2)[:, :2].unbind(1)
    answers = bank(images[:1] * torch.tensor([1.0, -1.0, 0.0])[:, None, None]).abs().amax((0, 2, 3))
    alike = torch.nn.functional.cosine_similarity(red.flatten(), green.flatten(), 0)
    assert (alike < -0.5) if opposed else (alike > 0.5)
    assert answers.shape == (6,)
