"""Models that come with the package, by name: which folder a name means, and weights in half precision."""

import json
from pathlib import Path

import pytest
import shipping
import torch
from safetensors.torch import load

import multistage
from multistage.cli import predict
from multistage.records import shipped
from multistage.records.runs import RESULT, WEIGHTS
from multistage.registry.errors import MultistageError

KERNELS, BIAS, CONNECTIONS = "stages.0.filter_bank.kernels", "classifier.bias", "stages.1.filter_bank.connections"


@pytest.fixture(scope="module")
def run(train_once):
    return train_once("trainer.max_epochs=1")[0].folder


@pytest.fixture
def models(run, tmp_path, monkeypatch):
    """A folder of shipped models, one in half precision and one as it was trained; and the user's own folder."""
    monkeypatch.setattr(shipped, "MODELS", tmp_path / "models")
    shipping.ship(run, tmp_path / "models/fake/small")
    shipping.ship(run, tmp_path / "models/fake/whole", half=False)
    (tmp_path / "own/folder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "own/folder")
    return tmp_path / "models"


def test_a_name_loads_from_any_folder_what_was_trained(models, run, image):
    trained = multistage.load(run)
    assert shipped.names() == ["fake/small", "fake/whole"]
    assert torch.equal(multistage.load("fake/whole").predict(image).scores, trained.predict(image).scores)
    assert multistage.load(Path("fake/small")).class_names == trained.class_names


def test_half_precision_is_float32_again_and_only_rounded(models, run, image):
    stored = load((models / "fake/small" / WEIGHTS).read_bytes())
    assert {name: value.dtype for name, value in stored.items() if name in (KERNELS, BIAS, CONNECTIONS)} == {
        KERNELS: torch.float16,
        BIAS: torch.float32,
        CONNECTIONS: torch.int64,
    }
    assert (models / "fake/small" / WEIGHTS).stat().st_size < 0.6 * (run / WEIGHTS).stat().st_size
    model, trained = multistage.load("fake/small"), multistage.load(run)
    found, expected = model.state_dict(), trained.state_dict()
    assert not torch.equal(found[KERNELS], expected[KERNELS])
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], shipping.rounded(value)), name
    assert torch.allclose(model.predict(image).probabilities, trained.predict(image).probabilities, atol=1e-2)


def test_the_command_takes_names(models, image, capsys):
    assert predict.main(["fake/small", str(image), "--top", "1"]) == 0
    label, shown = multistage.load("fake/small").predict(image).labels[0], capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines()[1].endswith(label)
    with pytest.raises(SystemExit):
        predict.main(["--help"])
    assert "fake/small, fake/whole" in " ".join(capsys.readouterr().out.split())


def test_an_unknown_name_is_answered_with_those_that_there_are(models, image, capsys):
    expected = (
        "fake/smal is not a finished run; expected a folder with result.json and weights.safetensors, or a shipped "
        "model: fake/small, fake/whole; nearest: fake/small"
    )
    with pytest.raises(MultistageError) as refusal:
        multistage.load("fake/smal")
    assert str(refusal.value) == expected
    assert predict.main(["fake/smal", str(image)]) == 1
    assert capsys.readouterr() == ("", f"error: {expected}\n")


def test_without_any_model_no_names_are_offered(models, monkeypatch):
    monkeypatch.setattr(shipped, "MODELS", models / "none")
    with pytest.raises(MultistageError, match=r"expected a folder with result\.json and weights\.safetensors$"):
        multistage.load("fake/small")


@pytest.mark.parametrize(
    "name", ["../outside/run", "fake/../fake/small", "fake/small/../whole", "fake", "small", "/fake/small", "..", ""]
)
def test_names_do_not_lead_out_of_the_folder_of_models(models, run, name):
    shipping.ship(run, models.parent / "outside/run")
    with pytest.raises(MultistageError, match="is not a finished run"):
        multistage.load(name)


def test_a_folder_of_that_name_is_told_apart(models, run, image):
    shipping.ship(run, Path("fake/small"), half=False)
    with pytest.raises(MultistageError) as refusal:
        multistage.load("fake/small")
    assert str(refusal.value) == (
        "fake/small is a shipped model and also a folder here; type ./fake/small for the folder, "
        f"{models}/fake/small for the model"
    )
    trained = multistage.load(run)
    for own in ("./fake/small", Path("fake/small"), f"fake/small/{WEIGHTS}"):
        assert torch.equal(multistage.load(own).state_dict()[KERNELS], trained.state_dict()[KERNELS])
    found = multistage.load(f"{models}/fake/small").state_dict()[KERNELS]
    assert torch.equal(found, shipping.rounded(trained.state_dict()[KERNELS]))


def test_in_the_folder_of_models_a_name_is_the_model(models, monkeypatch):
    monkeypatch.chdir(models)
    assert multistage.load("fake/small").class_names


DAMAGES = {
    "kernels in float32": lambda t: t.update({KERNELS: t[KERNELS].float()}),
    "kernels in bfloat16": lambda t: t.update({KERNELS: t[KERNELS].bfloat16()}),
    "bias in float16": lambda t: t.update({BIAS: t[BIAS].half()}),
    "connections in float16": lambda t: t.update({CONNECTIONS: t[CONNECTIONS].half()}),
    "infinite": lambda t: t[KERNELS].view(-1)[0].fill_(float("inf")),
    "flat": lambda t: t.update({KERNELS: t[KERNELS].flatten()}),
    "missing": lambda t: t.pop(KERNELS) is None,
    "more": lambda t: t.update(more=torch.zeros(3, 3).half()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_half_precision_is_held_against_the_network(models, damage):
    shipping.with_tensors(models / "fake/small", lambda tensors: DAMAGES[damage](tensors) and None)
    with pytest.raises(MultistageError, match=r"is damaged \(.*\); install multistage again$"):
        multistage.load("fake/small")


def change(folder, **fields):
    record = json.loads((folder / RESULT).read_bytes())
    shipping.stamped(folder, {**record, "shipped": {**record["shipped"], **fields}})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"precision": "float32"}, "F16"),
        ({"precision": "bfloat16"}, "shipped="),
        ({"weights_sha256": "0" * 64}, "its checksum is not the record's"),
        ({"weights_sha256": None}, "shipped="),
        ({"metrics": {"test_accuracy": 2}}, "shipped="),
    ],
)
def test_a_record_that_says_otherwise_is_refused(models, fields, reason):
    change(models / "fake/small", **fields)
    with pytest.raises(MultistageError, match=reason):
        multistage.load("fake/small")


def test_half_precision_without_a_record_that_says_so_is_refused(models):
    record = json.loads((models / "fake/small" / RESULT).read_bytes())
    record["weights_sha256"] = record.pop("shipped")["weights_sha256"]
    shipping.stamped(models / "fake/small", record)
    with pytest.raises(MultistageError, match=r"is F16 .*, expected F32"):
        multistage.load("fake/small")


def test_weights_of_the_record_of_the_run_are_not_those_of_the_model(models, run):
    (models / "fake/small" / WEIGHTS).write_bytes((run / WEIGHTS).read_bytes())
    with pytest.raises(MultistageError, match="is damaged"):
        multistage.load("fake/small")
    (models / "fake/whole" / WEIGHTS).write_bytes((run / WEIGHTS).read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(MultistageError, match="its checksum is not the record's"):
        multistage.load("fake/whole")


def test_a_classifier_whose_size_comes_from_training_in_half_precision(train_once, models, image):
    kernel = train_once("refine=false", "readout=kernel")[0].folder
    shipping.ship(kernel, models / "fake/kernel")
    found, expected = multistage.load("fake/kernel"), multistage.load(kernel)
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], shipping.rounded(value)), name
    shipping.with_tensors(models / "fake/kernel", lambda t: {name: value.half() for name, value in t.items()})
    with pytest.raises(MultistageError, match="is damaged"):
        multistage.load("fake/kernel")
