"""Several runs as one model: the mean of what they say, each with its own preparation; or a refusal."""

import csv
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import multistage
from multistage.cli import predict
from multistage.records.runs import RESULT, WEIGHTS
from multistage.registry.errors import ConfigError
from multistage.train.ensemble import Ensemble
from multistage.train.evaluation import Predictions, averaged

ONCE = "trainer.max_epochs=1"


@pytest.fixture(scope="module")
def runs(train_once):
    """Gray, another seed, and in colour: two preparations."""
    return [str(train_once(ONCE, *more)[0].folder) for more in ((), ("seed=1",), ("data.maps=3",))]


@pytest.fixture
def images(tmp_path):
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for n, path in enumerate(paths):
        Image.fromarray(random.integers(0, 255, (50 + n, 40, 3), dtype=np.uint8)).save(path)
    return paths


def test_the_average_is_the_mean_of_softmaxes(runs, images):
    each = [multistage.load(run).predict(images) for run in runs]
    expected = sum(torch.exp(p.scores.double()) / torch.exp(p.scores.double()).sum(1, keepdim=True) for p in each) / 3
    model = multistage.load(runs)
    assert isinstance(model, Ensemble)
    found = model.predict(images)
    assert found.class_names == model.class_names == each[0].class_names
    assert torch.allclose(found.probabilities.double(), expected, atol=1e-6)
    assert found.labels == [found.class_names[n] for n in expected.argmax(1).tolist()]
    assert not torch.allclose(found.probabilities, each[0].probabilities, atol=1e-3)


def test_batches_and_single_images_say_the_same(runs, images):
    model = multistage.load(runs)
    expected = model.predict(images).scores
    assert torch.allclose(model.predict(iter(images), batch_size=2).scores, expected, atol=1e-5)
    assert torch.allclose(model.predict(images[1]).scores, expected[1:2], atol=1e-5)


def test_each_network_has_its_own_preparation_and_equal_ones_are_made_once(runs, images):
    model = multistage.load(runs)
    gray, again, colour = model.prepare(images[0])
    assert gray is again
    assert (gray.shape[0], colour.shape[0]) == (1, 3)
    assert torch.equal(colour, model.models[2].prepare(images[0]))


def test_an_average_of_one_is_that_one(runs, images):
    found, expected = (multistage.load(run).predict(images) for run in (runs[:1], runs[0]))
    assert torch.allclose(found.probabilities, expected.probabilities, atol=1e-6)


def test_means_by_hand():
    """Of 3/4 and 1/4 with 1/4 and 3/4 the mean is a half; margins are averaged as they are."""
    scores = torch.tensor([[3.0, 1.0]]).log(), torch.tensor([[5.0, 15.0]]).log()
    said = [Predictions(("a", "b"), each, True) for each in scores]
    assert torch.allclose(averaged(said).probabilities, torch.tensor([[0.5, 0.5]]))
    margins = [Predictions(("a", "b"), torch.tensor([[value, 0.0]]), False) for value in (1.0, 3.0)]
    assert averaged(margins).scores.tolist() == [[2.0, 0.0]]
    certain = [Predictions(("a", "b"), torch.tensor([[1000.0, -1000.0]]), True)] * 2
    assert averaged(certain).scores.isfinite().all()
    assert averaged(certain).probabilities.tolist() == [[1.0, 0.0]]


def test_the_command_averages_too(runs, images, tmp_path, capsys):
    table = tmp_path / "found.csv"
    typed = [runs[0], *map(str, images), "--with", runs[1], "--with", runs[2]]
    assert predict.main([*typed, "--csv", str(table)]) == 0
    with table.open(newline="") as file:
        header, *rows = csv.reader(file)
    expected = multistage.load(runs).predict(images)
    assert header[2:] == list(expected.class_names)
    assert [list(map(float, row[2:])) for row in rows] == expected.probabilities.tolist()
    capsys.readouterr()
    assert predict.main([*typed, "--top", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == f"  {expected.probabilities[0].max():7.2%}  {expected.labels[0]}"


def test_margins_of_one_readout_are_averaged_and_no_others(train_once, runs, images):
    ridge = [str(train_once("refine=false", "readout=ridge", f"seed={seed}")[0].folder) for seed in (0, 1)]
    found = multistage.load(ridge).predict(images)
    assert not found.logistic
    expected = sum(multistage.load(run).predict(images).scores for run in ridge) / 2
    assert torch.allclose(found.scores, expected, atol=1e-6)
    with pytest.raises(ConfigError) as refusal:
        multistage.load([runs[0], ridge[0]])
    assert str(refusal.value) == (
        f"{runs[0]} has probabilities (readout=softmax) and {ridge[0]} has margins (readout=ridge); expected "
        "runs that all have probabilities, or all have the same readout"
    )
    kernel = str(train_once("refine=false", "readout=kernel")[0].folder)
    with pytest.raises(ConfigError, match=r"margins \(readout=ridge\) and .* margins \(readout=kernel\); expected"):
        multistage.load([ridge[0], kernel])


def test_other_classes_or_another_order_of_them_are_refused(runs, images, capsys):
    first, second = (multistage.load(run) for run in runs[:2])
    a, b, *others = first.class_names
    second.class_names = (b, a, *others)
    with pytest.raises(ConfigError) as refusal:
        Ensemble({"one": first, "two": second})
    assert str(refusal.value) == (
        f"one and two have different classes (class 1 is {a} in the first, {b} in the second); expected runs "
        "with the same classes"
    )
    second.class_names = first.class_names[:-1]
    with pytest.raises(ConfigError, match=rf"\({len(first.class_names)} classes and {len(second.class_names)}\)"):
        Ensemble({"one": first, "two": second})


def test_a_run_that_is_given_twice_is_refused_a_copy_of_it_too(runs, images, tmp_path, capsys):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (RESULT, WEIGHTS):
        shutil.copy(f"{runs[0]}/{name}", copy / name)
    expected = f"{copy} and {runs[0]} are the same run (equal weights); expected each run once"
    with pytest.raises(ConfigError) as refusal:
        multistage.load([runs[0], runs[1], copy])
    assert str(refusal.value) == expected
    assert predict.main([runs[0], str(images[0]), "--with", str(copy)]) == 2
    assert capsys.readouterr() == ("", f"error: {expected}\n")


def test_nothing_to_average_is_said():
    with pytest.raises(ConfigError, match="there is no run to average; expected at least one"):
        multistage.load([])
