"""From a run to a shipped model: what is stored, measured and written on its card; and what is refused."""

import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load as load_tensors

import multistage
from audit.models import card, check, ship
from audit.models.testing import answers, images
from multistage.records import shipped
from multistage.records.runs import RESULT, WEIGHTS, read
from multistage.registry.errors import ConfigError, DataError, MultistageError
from multistage.storage import durable
from multistage.train.restore import halved
from scripts import ship as script

TYPED = ("refine=false", "readout=lbfgs", "data.train_per_class=10", "data.test_per_class=5", "lbfgs.penalty=0.1")
SOURCE = replace(card.SOURCES["mnist"], title="Fakes", limits="They are made up.")


@pytest.fixture(scope="module")
def run(train_once):
    return train_once(*TYPED)[0].folder


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Where models lie; those of made-up images may be shipped."""
    monkeypatch.setattr(card, "SOURCES", {**card.SOURCES, "fake": SOURCE})
    monkeypatch.setattr(shipped, "MODELS", tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def coarse(monkeypatch):
    """Half precision that loses the classifier."""

    def lost(value):
        return halved(value) * 0 if value.ndim > 1 and value.dtype == torch.float32 else value

    monkeypatch.setattr(ship, "halved", lost)


def words(folder):
    """The text of a card, on one line."""
    return " ".join((folder / card.FILE).read_text(encoding="utf-8").split())


def test_what_is_shipped_is_the_run_in_half_precision_with_its_figures(run, models):
    told = []
    folder = ship.ship(run, "fake/small", models, told.append)
    assert folder == models / "fake/small"
    assert sorted(file.name for file in folder.iterdir()) == [card.FILE, RESULT, WEIGHTS]
    record, before = read(folder), read(run)
    about = record["shipped"]
    content = (folder / WEIGHTS).read_bytes()
    assert (about["name"], about["precision"], about["bytes"]) == ("fake/small", "float16", len(content))
    assert about["weights_sha256"] == durable.digest(content) != record["weights_sha256"]
    assert load_tensors(content)["classifier.weight"].dtype == torch.float16
    assert about["metrics"] == {
        "images": 20,
        **{name: before["metrics"][name] for name in ("test_accuracy", "test_mean_class_accuracy")},
    }
    assert about["correct"] == [entry["correct"] for entry in before["per_class"]]
    assert about["remaining"]["images"] == 4 * 30  # of 40 a class ten train
    unchanged = record.keys() - {"shipped", "config", "checksum"}
    assert {key: record[key] for key in unchanged} == {key: before[key] for key in unchanged}
    assert (record["config"]["output"], before["config"]["output"]) == ("runs", str(run).partition("/adhoc")[0])
    assert told[1].startswith("half precision changes 0 of 20 predictions on test images, 0 of 120 on all that remain")
    assert len(told) == 2
    model = multistage.load("fake/small")
    assert model.class_names == tuple(entry["name"] for entry in before["per_class"])


def test_what_remains_is_all_that_did_not_train_with_the_test_images_among_it(run):
    record = read(run)
    others = images(record)
    split = record["images"]
    assert (len(others.names), len(others.numbers)) == (split["test"], 160 - split["train"]) == (20, 120)
    said = answers(multistage.load(run), others)
    right = said.scores.argmax(1) == others.labels
    figures = others.figures(said)
    assert figures["remaining"]["test_accuracy"] == pytest.approx(right.float().mean().item())
    assert figures["metrics"]["test_accuracy"] == pytest.approx(right[others.own].float().mean().item())
    assert sum(figures["correct"]) == right[others.own].sum()


def test_where_half_precision_changes_predictions_weights_stay_as_they_are(run, models, coarse):
    told = []
    folder = ship.ship(run, "fake/exact", models, told.append)
    assert read(folder)["shipped"]["precision"] == "float32"
    assert (folder / WEIGHTS).read_bytes() == (run / WEIGHTS).read_bytes()
    assert "stored as trained" in told[1]
    assert "0 of 20" not in told[1]
    assert "Weights are stored as they were trained" in words(folder)
    assert check.check("fake/exact", models) == []


def test_what_is_too_large_is_refused_with_its_size(run, models, monkeypatch):
    size = (run / WEIGHTS).stat().st_size
    monkeypatch.setattr(ship, "LIMIT", 50_000)
    with pytest.raises(MultistageError, match=r" takes 0\.\d\d MB in half precision; expected at most 0\.05 MB$"):
        ship.ship(run, "fake/small", models, print)
    assert size > 50_000
    assert not models.exists()


def test_what_needs_its_precision_and_is_too_large_is_refused(run, models, monkeypatch, coarse):
    monkeypatch.setattr(ship, "LIMIT", (run / WEIGHTS).stat().st_size - 1)
    with pytest.raises(
        MultistageError, match=r" MB, and half precision changes \d+ of 20 predictions .*; expected at most"
    ):
        ship.ship(run, "fake/small", models, print)
    assert not models.exists()


@pytest.mark.parametrize(
    "name", ["small", "digits/small", "fake/Small", "fake/..", "../fake/small", "fake/a/b", "fake/", ""]
)
def test_a_name_is_a_data_set_and_a_word(run, models, name):
    with pytest.raises(ConfigError, match=r"NAME=.* is not allowed; expected fake/WORD, in small letters"):
        ship.ship(run, name, models, print)
    assert not models.exists()


def test_images_of_unknown_licence_are_not_shipped(run, models, monkeypatch):
    monkeypatch.setattr(card, "SOURCES", {"mnist": SOURCE})
    with pytest.raises(ConfigError, match="has data=fake, whose licence is not known; expected one of mnist"):
        ship.ship(run, "fake/small", models, print)


def test_a_model_and_what_is_no_run_are_not_shipped(run, models, tmp_path):
    ship.ship(run, "fake/small", models, lambda line: None)
    with pytest.raises(MultistageError, match="is a shipped model already"):
        ship.ship(models / "fake/small", "fake/again", models, print)
    with pytest.raises(MultistageError, match="is not a finished run; expected a folder with"):
        ship.ship(tmp_path, "fake/again", models, print)


def test_other_images_are_refused(run):
    record = read(run)
    for field in ("data_hash", "split_hash"):
        with pytest.raises(DataError, match=f"data=fake here are not the images of the run: {field} was 0000"):
            images({**record, field: "0" * 64})


def test_figures_of_another_machine_are_said_and_the_card_has_what_was_found(run, models, monkeypatch):
    record = read(run)
    other = {**record, "metrics": {**record["metrics"], "test_accuracy": 0.125}}
    monkeypatch.setattr(ship, "read", lambda folder: other)
    told = []
    ship.ship(run, "fake/small", models, told.append)
    assert told[2].startswith("tested here, its record's test_accuracy was 0.125, is ")
    assert read(models / "fake/small")["shipped"]["metrics"]["test_accuracy"] == record["metrics"]["test_accuracy"]


def test_a_card_has_the_figures_of_its_record(run, models):
    ship.ship(run, "fake/small", models, lambda line: None)
    record = read(models / "fake/small")
    about, text = record["shipped"], words(models / "fake/small")
    assert (models / "fake/small" / card.FILE).read_text(encoding="utf-8") == card.card(record)
    for figures in (about["metrics"], about["remaining"]):
        mean, overall = figures["test_mean_class_accuracy"], figures["test_accuracy"]
        assert f" | {figures['images']} | {mean:.2%} | {overall:.2%} |" in text
    assert "test images, at most 5 a class" in text
    assert "python train.py data=fake refine=false readout=lbfgs" in text
    assert f" {record['parameters']:,} parameters" in text
    assert 'multistage.load("fake/small")' in text
    assert "Kevin Jarrett, Koray Kavukcuoglu" in text
    assert SOURCE.limits in text
    where = f", by the code of commit `{record['commit'][:7]}`" if record["commit"] else "thread, float32)."
    assert where in text
    assert "40 images trained it, of which 100.00% are right." in text


def test_a_card_of_margins_says_so(train_once, models):
    run = train_once("refine=false", "readout=ridge", "data.validation=2")[0].folder
    folder = ship.ship(run, "fake/ridge", models, lambda line: None)
    text = words(folder)
    assert "its scores (`readout=ridge`) are margins, not probabilities" in text
    assert re.search(r"112 images trained it, of which [\d.]+% are right; 8 others validated\.", text)


def test_the_script_ships_checks_and_makes_cards_again(run, models, capsys):
    root = models.parent
    (root / "results").symlink_to(root)
    assert script.main([str(run), "fake/small"], root) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(root / "results/models/fake/small")
    assert script.main(["--check"], root) == 0
    assert capsys.readouterr().out == "fake/small: as its card says\n"
    file = models / "fake/small" / card.FILE
    file.write_text("99 % right")
    assert script.main(["--check", "fake/small"], root) == 1
    assert capsys.readouterr().out == (
        "fake/small: README.md is not what its record makes; type python scripts/ship.py\n"
    )
    assert script.main([], root) == 0
    assert script.main(["--check"], root) == 0
    for typed, expected in (
        (["--check", "fake/none"], "error: fake/none is not a shipped model; expected one of fake/small\n"),
        ([str(run)], "error: 1 words; expected RUN NAME, such as runs/... caltech101/best\n"),
        ([str(root), "fake/small"], f"error: {root} is not a finished run; expected {shipped.EXPECTED}\n"),
    ):
        capsys.readouterr()
        assert script.main(typed, root) in (1, 2)
        assert capsys.readouterr() == ("", expected)


def test_the_check_compares_to_the_last_digit(run, models):
    ship.ship(run, "fake/small", models, lambda line: None)
    record = read(models / "fake/small")
    about = record["shipped"]
    nearly = about["metrics"]["test_accuracy"] - 1e-9
    changed = {**about, "metrics": {**about["metrics"], "test_accuracy": nearly}, "name": "fake/other"}
    (models / "fake/small" / RESULT).write_text(json.dumps(durable.stamp({**record, "shipped": changed})))
    found = check.check("fake/small", models)
    assert found[0] == "name was fake/other, is fake/small"
    assert found[-1] == f"metrics.test_accuracy was {nearly}, is {about['metrics']['test_accuracy']}"


def test_a_model_whose_record_says_nothing_of_shipping_is_none(run, models):
    folder = models / "fake/run"
    folder.mkdir(parents=True)
    for name in (RESULT, WEIGHTS):
        (folder / name).write_bytes((run / name).read_bytes())
    with pytest.raises(MultistageError, match="is not a shipped model; expected what"):
        check.check("fake/run", models)
