"""The average of runs, tested on the images that they share; runs that share none are refused."""

import json
from math import isclose
from pathlib import Path

import pytest
import torch

import multistage
from audit.models.ensemble import ensemble
from audit.models.testing import answers, images
from multistage.records.runs import read
from multistage.registry.errors import ConfigError, MultistageError
from multistage.storage import durable
from scripts import ensemble as script

TYPED = ("refine=false", "readout=lbfgs", "data.train_per_class=2", "data.test_per_class=5", "lbfgs.penalty=0.1")


@pytest.fixture(scope="module")
def make(train_once):
    return lambda *more: str(train_once(*TYPED, *more)[0].folder)


@pytest.fixture(scope="module")
def runs(make):
    return [make(), make("seed=1"), make("model=avgpool")]


def test_accuracy_is_that_of_the_mean_of_probabilities(runs):
    found = ensemble(runs, lambda line: None)
    probabilities, singles = [], []
    for run in runs:
        others = images(read(Path(run)))
        said = answers(multistage.load(run), others)
        probabilities.append(torch.softmax(said.scores.double(), 1))
        singles.append(others.figures(said))
    right = torch.stack(probabilities).mean(0).argmax(1) == others.labels
    own = right[others.own]
    assert isclose(found["metrics"]["test_accuracy"], own.float().mean().item(), abs_tol=1e-7)
    assert isclose(found["remaining"]["test_accuracy"], right.float().mean().item(), abs_tol=1e-7)
    classes = [own[others.labels[others.own] == c].float().mean().item() for c in range(4)]
    assert isclose(found["metrics"]["test_mean_class_accuracy"], sum(classes) / 4, abs_tol=1e-6)
    assert [entry["correct"] for entry in found["per_class"]] == [round(5 * share) for share in classes]
    assert {entry["total"] for entry in found["per_class"]} == {5}
    assert (found["data"], found["draw"], found["average_of"]) == ("fake", 0, "probabilities")
    for single, entry, run in zip(singles, found["runs"], runs, strict=True):
        assert entry["metrics"] == single["metrics"]
        assert entry["remaining"] == single["remaining"]
        assert {"images": 20, **entry["recorded"]} == single["metrics"]
        assert entry["run"] == read(Path(run))["run"]
    durable.check_stamp(found)


def test_margins_of_one_readout_are_averaged(train_once):
    ridge = [str(train_once("refine=false", "readout=ridge", f"seed={n}")[0].folder) for n in (0, 1)]
    found = ensemble(ridge, lambda line: None)
    assert found["average_of"] == "margins"
    assert "remaining" not in found or found["remaining"]["images"] > found["metrics"]["images"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("draw=1",), "have draw=0 and draw=1; expected runs of the same draw"),
        (("data.test_per_class=6",), "have other test images; expected runs of the same"),
        (("data.train_per_class=3",), "have other test images; expected runs of the same"),
        (("data.classes=5",), "had other images (data_hash); expected runs of the same images"),
        (("data=digits",), "have data=fake and data=digits; expected runs of the same data"),
    ],
)
def test_runs_of_other_images_are_refused_in_one_line(make, runs, more, reason):
    other = make(*more)
    with pytest.raises(ConfigError) as refusal:
        ensemble([runs[0], other], lambda line: None)
    assert str(refusal.value) == f"{runs[0]} and {other} {reason}"


def test_one_run_twice_or_alone_is_no_average(runs, tmp_path):
    with pytest.raises(ConfigError, match=r"are the same run \(equal weights\); expected each run once"):
        ensemble([runs[0], runs[0]], lambda line: None)
    with pytest.raises(ConfigError, match="1 run to average; expected at least two"):
        ensemble(runs[:1], lambda line: None)
    with pytest.raises(MultistageError, match="is not a finished run"):
        ensemble([runs[0], str(tmp_path)], lambda line: None)


def test_the_script_prints_and_writes_json(runs, tmp_path, capsys):
    file = tmp_path / "average.json"
    assert script.main([*runs[:2], "--json", str(file)]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == json.loads(file.read_text(encoding="utf-8"))
    *tested, said = shown.err.splitlines()
    assert tested == [f"testing {run} on 152 images" for run in runs[:2]]
    metrics = json.loads(shown.out)["metrics"]
    assert metrics == ensemble(runs[:2], lambda line: None)["metrics"]
    assert (
        said
        == f"{100 * metrics['test_mean_class_accuracy']:.2f} %, mean over classes, of {metrics['images']} test images"
    )
    assert script.main([runs[0]]) == 2
    assert capsys.readouterr() == ("", "error: 1 run to average; expected at least two\n")
    nowhere = tmp_path / "none/average.json"
    assert script.main([*runs[:2], "--json", str(nowhere)]) == 1
    assert capsys.readouterr() == ("", f"error: {nowhere} cannot be written: {nowhere.parent} is not a folder\n")
