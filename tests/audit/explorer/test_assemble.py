"""The explorer as text; tests/browser opens it."""

import base64
import json
import re
import shutil

import pytest
from committed import RESULTS

from audit.explorer import assemble, sets
from multistage.records.files import from_file, path
from multistage.records.runs import WEIGHTS
from multistage.registry.errors import MultistageError
from scripts import explorer

MODELS = sorted({record["config"]["model"] for record in from_file(RESULTS / "explorer" / "records.jsonl")})


@pytest.fixture(scope="module")
def text():
    return (RESULTS / "explorer.html").read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path):
    results = tmp_path / "results"
    shutil.copytree(RESULTS / sets.NAME, results / sets.NAME)
    shutil.copytree(RESULTS / sets.MODEL, results / sets.MODEL)
    shutil.copy(RESULTS / "paper.yaml", results)
    return results


def data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_committed_page_is_made_from_what_is_committed(text):
    assert text == assemble.document(RESULTS), "run python scripts/explorer.py"


def test_every_preset_is_there_the_papers_columns_first(text):
    shown = data(text)[0]["presets"]
    assert sorted(preset["name"] for preset in shown) == MODELS
    papers = [preset["paper"] for preset in shown]
    assert papers == ["R_abs-N-P_A", "R_abs-P_A", "N-P_M", "N-P_A", "P_A", *[None] * (len(MODELS) - 5)]


def test_accuracies_are_those_of_the_records_and_lead_to_them(text):
    index = (RESULTS / "index.html").read_text(encoding="utf-8")
    assert '<a href="explorer.html">' in index
    records = {record["config"]["model"]: record for record in from_file(RESULTS / sets.NAME / "records.jsonl")}
    for preset in data(text)[0]["presets"]:
        accuracy = records[preset["name"]]["metrics"]["test_mean_class_accuracy"]
        assert preset["accuracy"] == f"{100 * accuracy:.2f}"
        address, _, identifier = preset["link"].partition("#")
        assert address == "index.html"
        assert f'id="{identifier}"' in index
        assert re.search(f'id="{identifier}"[^>]*><span class="mean">{preset["accuracy"]}<', index)


def test_equal_networks_are_said_to_be_equal(text):
    same = {preset["name"]: preset["same_as"] for preset in data(text)[0]["presets"] if preset["same_as"]}
    assert same == {"lcn_maxpool_overlap": "lcn_maxpool"}


def test_the_page_is_written_once(copy):
    assert assemble.write(copy) == copy / "explorer.html"
    assert (copy / "explorer.html").read_text(encoding="utf-8") == assemble.document(copy)
    assert assemble.write(copy) is None


def test_without_weights_there_is_no_page(copy):
    record = from_file(copy / sets.NAME / "records.jsonl")[0]
    (copy / sets.NAME / "artifacts" / path(record).replace("/", "__") / WEIGHTS).unlink()
    with pytest.raises(MultistageError, match="holds no weights"):
        assemble.document(copy)


def test_photographs_are_there_with_the_shipped_network_and_its_accuracy(text):
    photographs = data(text)[1]
    record = sets.shipped(RESULTS)
    (network,) = photographs["presets"]
    accuracy = record["shipped"]["metrics"]["test_mean_class_accuracy"]
    assert (network["name"], network["paper"]) == ("abs_lcn_avgpool", "R_abs-N-P_A")
    assert network["accuracy"] == f"{100 * accuracy:.2f}"
    assert (RESULTS / network["link"]).exists()
    assert len(photographs["classes"]) == len(record["per_class"])
    for image in photographs["images"]:
        assert photographs["classes"][image["label"]] == image["title"]
        assert len(base64.b64decode(image["pixels"])) == image["width"] * image["height"]
    for word in ("Caltech-101", "CC&nbsp;BY&nbsp;4.0", f"each of {len(photographs['images'])} classes"):
        assert word in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *(("explorer/records.jsonl", "holds no records"), ("explorer/digits.png", "is missing")),
        *(("explorer/photographs", "is missing"), (f"{sets.MODEL}/result.json", "holds no network")),
    ],
)
def test_the_command_says_in_one_line_what_is_missing(copy, capsys, name, message):
    place = copy / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert explorer.main([], copy.parent) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_the_command_writes_the_page_and_names_it(copy, capsys):
    assert explorer.main([], copy.parent) == 0
    assert capsys.readouterr().out == f"{copy / 'explorer.html'}\n"
