"""Features of frozen filters depend on network, images and preprocessing, and on nothing else."""

import shutil
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from multistage.operations import Normalisation
from multistage.operations.normalise.groupnorm import GroupNorm
from multistage.records import runs
from multistage.registry import digest
from multistage.registry.errors import MultistageError
from multistage.storage import code
from multistage.train import features
from multistage.train.restore import make_network

CPU = torch.device("cpu")


@pytest.fixture
def compute(plan, looked):
    """Features of the run that settings describe, its network, and how many images went through it."""

    def compute(*settings):
        looked.clear()
        run = plan("refine=false", *settings)
        dataset = run.settings.data.load()
        split = run.settings.draw.of(dataset)
        net = make_network(run.settings, len(dataset.class_names))
        found = features.frozen(run.settings, net, dataset, split, CPU)
        return found, net, split, dataset, sum(looked)

    return compute


def test_features_are_those_of_the_network(compute):
    found, net, split, dataset, _ = compute()
    for part in (split.train, split.validation, split.test):
        expected = net.eval().features(dataset.pixels(part))
        torch.testing.assert_close(found.of(part), expected.detach(), rtol=1e-5, atol=1e-6)
    backwards = split.test.flip(0)
    assert torch.equal(found.of(backwards), found.of(split.test).flip(0))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_features_that_are_no_numbers_are_refused_whatever_reads_them(value):
    values = torch.zeros(3, 4)
    values[1, 2] = value
    found = features.Features(values, torch.arange(3), "")
    assert found.of(torch.tensor([0, 2])).shape == (2, 4)
    assert found.of(torch.arange(0)).shape == (0, 4)
    with pytest.raises(MultistageError, match="features are not finite numbers"):
        found.of(torch.tensor([2, 1]))


@pytest.mark.parametrize(
    "settings",
    [
        ["readout=lbfgs"],
        ["readout=sgd"],
        ["readout=lbfgs", "lbfgs.penalty=0.1"],
        ["data.batch_size=7"],
        ["data.validation=3"],
        ["optimizer.lr=0.3", "name=other"],
    ],
    ids=" ".join,
)
def test_classifiers_regularisers_and_validation_share_them(compute, settings):
    first, *_, computed = compute()
    assert computed == len(first.indices)
    second, *_, computed = compute(*settings)
    assert computed == 0
    assert torch.equal(first.values, second.values)
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "settings",
    [
        ["seed=1"],
        ["stages=1"],
        ["model=lcn_avgpool"],
        ["model=abs_lcn_maxpool"],
        ["contrast_norm.floor=1"],
        ["filter_bank.squash=none"],
        ["geometry.stage2.step=1"],
        ["data.classes=5"],
        ["data.test_per_class=5"],
    ],
    ids=" ".join,
)
def test_what_changes_features_makes_others(compute, settings):
    first, *_ = compute()
    second, *_, computed = compute(*settings)
    assert computed == len(second.indices)
    assert first.digest != second.digest


def test_draws_that_see_all_images_share_them_and_others_do_not(compute):
    compute("draw=0")
    assert compute("draw=1")[-1] == 0
    some = "data.test_per_class=5"
    assert compute("draw=0", some)[0].digest != compute("draw=1", some)[0].digest


def test_another_version_of_the_code_makes_others(compute, monkeypatch):
    first, *_ = compute()
    monkeypatch.setattr(features, "RESULTS_VERSION", runs.RESULTS_VERSION + 1)
    assert compute()[0].digest != first.digest


@pytest.mark.parametrize(
    ("name", "computes"),
    [
        *((name, True) for name in ("layers/pooling.py", "network/net.py", "operations/normalise/groupnorm.py")),
        ("readout/lbfgs.py", False),
        ("__init__.py", False),  # it has the version, so that a release computes nothing again
    ],
)
def test_a_changed_file_makes_others_if_it_computes(tmp_path, monkeypatch, name, computes):
    shutil.copytree(code.PACKAGE, tmp_path / "multistage", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "multistage")
    before = code.code_digest(*features.CODE)
    with (tmp_path / "multistage" / name).open("a") as file:
        file.write("# changed")
    code.started.cache_clear()
    assert (code.code_digest(*features.CODE) != before) == computes


def test_what_readouts_keep_is_made_again_by_other_code_of_readouts(compute, tmp_path, monkeypatch):
    shutil.copytree(code.PACKAGE, tmp_path / "multistage", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "multistage")
    found, _, split, *_ = compute()
    built = []

    def kept():
        found.keep(split.train)("axes", lambda: built.append(0) or {"of": torch.zeros(1)})
        code.started.cache_clear()
        return len(built)

    assert [kept(), kept()] == [1, 1]
    with (tmp_path / "multistage/readout/methods/ridge.py").open("a") as file:
        file.write("# changed")
    assert kept() == 2


def test_a_copied_file_whose_class_kept_its_name_has_features_of_its_own():
    copied = type("GroupNorm", (Normalisation,), {"__annotations__": {"groups": int}, "groups": 8})
    assert digest(dataclass(frozen=True)(copied)()) != digest(GroupNorm())


def test_they_do_not_depend_on_the_batch_nor_on_threads(compute, monkeypatch):
    monkeypatch.setenv("MULTISTAGE_CACHE_LIMIT", "0")
    first, *_ = compute()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        second, *_ = compute()
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(first.values, second.values)
    monkeypatch.setattr(features, "BATCH", 5)
    torch.testing.assert_close(compute()[0].values, first.values, rtol=1e-5, atol=1e-6)


def test_statistics_of_batch_normalisation_come_with_them(compute):
    first, before, *_, computed = compute("model=abs_lcn_batchnorm_avgpool")
    assert computed > len(first.indices)
    second, after, *_, computed = compute("model=abs_lcn_batchnorm_avgpool")
    assert computed == 0
    assert torch.equal(first.values, second.values)
    for name, value in before.state_dict().items():
        assert torch.equal(value, after.state_dict()[name]), name
    third, *_, computed = compute("model=abs_lcn_batchnorm_avgpool", "data.validation=3")
    assert computed > 0  # fewer training images, other statistics
    assert not torch.equal(first.values, third.values)


@pytest.mark.parametrize("model", ["abs_lcn_batchnorm_avgpool", "batchnorm_maxpool"])
def test_frozen_batch_normalisation_has_the_statistics_of_the_training_images(plan, model, monkeypatch):
    run = plan(f"model={model}", "refine=false")
    dataset = run.settings.data.load()
    train = run.settings.draw.of(dataset).train
    net, other = make_network(run.settings, 4), make_network(run.settings, 4)
    features.calibrate(net.stages, dataset, train, CPU)
    monkeypatch.setattr(features, "BATCH", 7)
    features.calibrate(other.stages, dataset, train, CPU)
    seen = []
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = dataset.pixels(train)
    net.eval().features(x)
    for output in seen:
        assert output.mean((0, 2, 3)).abs().max() < 1e-3
        assert (output.var((0, 2, 3), unbiased=False) - 1).abs().max() < 0.01
    torch.testing.assert_close(net.features(x), other.eval().features(x), rtol=1e-4, atol=1e-5)


def test_frozen_batch_normalisation_differs_from_none(compute):
    plain, *_ = compute("model=avgpool")
    normalised, *_ = compute("model=batchnorm_avgpool")
    assert (plain.values - normalised.values).abs().max() > 0.1


def test_a_frozen_run_computes_features_of_test_images_once(plan, looked, do):
    run = plan("refine=false", "readout=lbfgs")
    split = run.settings.draw.of(run.settings.data.load())
    images = sum(len(part) for part in (split.train, split.validation, split.test))
    record = do(run)
    assert sum(looked) == images
    again = do(plan("refine=false", "readout=sgd"))
    assert sum(looked) == images
    assert record["seconds"].keys() == again["seconds"].keys() == {"data", "features", "train", "test"}


def test_another_pillow_makes_other_features(monkeypatch):
    before = features.computed_by(torch.device("cpu"))
    monkeypatch.setattr("PIL.__version__", "0.0")
    assert features.computed_by(torch.device("cpu")) != before
