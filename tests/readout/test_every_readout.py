"""Every readout there is, found by its registry, against what a run on frozen filters needs of it."""

import numpy as np
import pytest
import torch
from PIL import Image

import multistage
from multistage.cli import predict
from multistage.data.dataset import Dataset
from multistage.readout import Readout, Task, readouts
from multistage.registry.errors import MultistageError
from multistage.settings import composition
from multistage.train import protocol
from multistage.train.history import History
from multistage.train.quiet import quiet
from multistage.train.restore import make_network

SVM = "readout=pyramid_svm pyramid_svm.words=12"
RUNS = {
    "readout=softmax optimizer.lr=0.01": 0.8,
    "readout=sgd": 0.8,
    "readout=lbfgs": 0.8,
    "readout=lbfgs model=batchnorm_avgpool": 0.8,
    "readout=ridge": 0.8,
    "readout=kernel": 0.6,
    SVM: 0.4,
    f"{SVM} stages=1": 0.4,
    f"{SVM} model=abs_lcn_maxpool": 0.4,
}
"""What is typed, and the accuracy to be had on test images; 0.25 is chance."""
each_run = pytest.mark.parametrize("typed", RUNS)


def test_every_readout_is_known_here():
    assert {typed.split()[0].partition("=")[2] for typed in RUNS} == {*readouts}


ESTIMATED = [name for name, readout in readouts.items() if readout.memory is not Readout.memory]


def test_our_own_readouts_estimate_their_memory():
    assert {"kernel", "lbfgs", "pyramid_svm", "ridge", "sgd"} == {*ESTIMATED}


@pytest.mark.parametrize("name", ESTIMATED)
def test_the_memory_for_products_of_all_images_is_expected_before_they_are_too_many(name):
    samples = 20_000
    assert readouts[name]().memory(samples, 10**6) >= 12 * samples**2  # in float64 and float32


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Runs and records: without the cache of features, with an empty one, from it; done when they are asked for."""
    made, output = {}, tmp_path_factory.mktemp("runs")

    def done(typed):
        folder = output / str(len(made))
        with pytest.MonkeyPatch.context() as patch, quiet():
            patch.setenv("MULTISTAGE_CACHE", str(folder / "cache"))
            for number, (name, limit) in enumerate((("off", "0"), ("empty", "1"), ("full", "1"))):
                patch.setenv("MULTISTAGE_CACHE_LIMIT", limit)
                torch.manual_seed(number)
                np.random.seed(number)
                words = ["data=fake", "data.validation=3", "refine=false", f"output={folder}", f"name={name}"]
                run = composition.plan([*words, *typed.split()])
                yield run, protocol.run(run, "none")

    return lambda typed: made[typed] if typed in made else made.setdefault(typed, list(done(typed)))


@each_run
def test_the_same_run_is_the_same_to_the_bit_with_and_without_the_cache(results, typed):
    kept = [
        [record[key] for key in ("metrics", "history", "per_class", "weights_sha256")] for _, record in results(typed)
    ]
    assert kept[0] == kept[1] == kept[2]


@each_run
def test_filters_stay_and_the_classifier_learns_is_stored_and_loaded(results, typed):
    run, record = results(typed)[0]
    assert record["metrics"]["test_accuracy"] > RUNS[typed]
    assert record["metrics"]["train_accuracy"] > RUNS[typed]
    assert "validation_accuracy" in record["metrics"]
    assert record["seconds"].keys() == {"data", "features", "train", "test"}
    fresh, net = make_network(run.settings, 4), multistage.load(run.folder)
    for before, after in zip(fresh.stages.parameters(), net.stages.parameters(), strict=True):
        assert torch.equal(before, after)
    dataset = run.settings.data.load()
    test = run.settings.draw.of(dataset).test
    right = net(dataset.pixels(test)).argmax(1) == dataset.labels[test]
    assert right.float().mean().item() == pytest.approx(record["metrics"]["test_accuracy"])


@each_run
def test_only_training_images_are_learned_from(plan, typed):
    """What is learned stays when all others are replaced; some readouts choose on validation images."""
    chooses = any(name in typed for name in ("softmax", "ridge", "kernel"))
    run = plan("refine=false", *typed.split(), "data.validation=3", *(["trainer.max_epochs=2"] * ("softmax" in typed)))
    states = []
    for value in (0, 255):
        dataset = run.settings.data.load()
        split = run.settings.draw.of(dataset)
        for part in (split.test,) if chooses else (split.test, split.validation):
            dataset.images[part] = value
        changed = Dataset(dataset.images, dataset.labels, dataset.class_names, dataset.names, None, f"content {value}")
        with quiet():
            trained = protocol.train(run.config, changed, split, History(), "none")
        states.append(trained.net.state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


@pytest.mark.parametrize("typed", [typed for typed in RUNS if typed.startswith(SVM)])
def test_scores_of_machines_are_shown_as_margins(results, typed, tmp_path, capsys):
    run, record = results(typed)[0]
    net = multistage.load(run.folder)
    banks = sum(p.numel() for p in net.stages.parameters())
    maps, images = net.filter_banks[-1].kernels.shape[0], 4 * 27
    assert record["parameters"] == banks + 12 * maps + 4 * images + 4
    assert len(record["history"]["train_loss"]) == 1
    Image.fromarray(np.full((30, 20), 7, np.uint8)).save(tmp_path / "some.png")
    assert predict.main([str(run.folder), str(tmp_path / "some.png"), "--top", "2"]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    margins = [float(row.split()[0]) for row in rows]  # and no percentages
    assert margins == sorted(margins, reverse=True)


# Features that are no features


FITTED = ("lbfgs", "ridge", "kernel", "pyramid_svm")
SHAPE = (2, 4, 4)


def fit(name, features, labels, classes):
    settings = {"words": 4} if name == "pyramid_svm" else {}
    return readouts[name](**settings).fit(Task(features, torch.tensor(labels), classes, SHAPE))


@pytest.mark.parametrize("name", readouts)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_no_numbers_are_refused(name, value):
    features = torch.randn(9, 32, generator=torch.Generator().manual_seed(0))
    features[4, 7] = value
    with pytest.raises(MultistageError, match="features are not finite numbers; no classifier can learn from them"):
        fit(name, features, [0, 1, 2] * 3, 3)


@pytest.mark.parametrize("name", FITTED)
def test_flat_features_give_the_share_of_each_class(name):
    """Whatever an image looks like."""
    features = torch.cat([torch.ones(1, 32), torch.randn(3, 32, generator=torch.Generator().manual_seed(0))])
    scores = fit(name, torch.ones(9, 32), [0] * 6 + [1] * 3, 2)(features).detach()
    assert scores.isfinite().all()
    if name != "pyramid_svm":  # whose scores are margins
        shares = scores.softmax(1) if name == "lbfgs" else scores
        torch.testing.assert_close(shares, torch.tensor([[2 / 3, 1 / 3]]).expand(4, 2), atol=1e-3, rtol=0)
