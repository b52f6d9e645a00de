"""Models that are committed: their cards are what their records make, and they are as accurate as these say."""

import pytest
import torch
from committed import REAL_CACHE, REAL_DATA, RESULTS

import multistage
from audit.models import card, check, ship
from multistage.data import manifest
from multistage.data.caltech101 import SOURCE, folders_dataset
from multistage.records import shipped
from multistage.records.runs import WEIGHTS
from multistage.records.schema import SHIPPED
from multistage.settings.tree import parse
from scripts import ship as script

MODELS = RESULTS / "models"
NAMES = shipped.names(MODELS)
IMAGES = REAL_DATA / SOURCE.folder
SOME = 8
"""Every so many classes are tested here; `-m slow` tests all images, as `python scripts/ship.py --check` does."""


def test_what_is_shipped_lies_where_it_is_looked_for():
    assert shipped.MODELS == MODELS
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_small_and_its_card_is_what_its_record_makes(name):
    record = check.record_of(MODELS / name)
    assert record[SHIPPED]["name"] == name
    assert record[SHIPPED]["bytes"] == (MODELS / name / WEIGHTS).stat().st_size <= ship.LIMIT
    again = "run python scripts/ship.py"
    assert (MODELS / name / card.FILE).read_text(encoding="utf-8") == card.card(record), again


@pytest.mark.skipif(not IMAGES.is_dir(), reason="Caltech-101 is not in MULTISTAGE_DATA")
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("caltech101/")])
def test_of_some_classes_as_many_images_are_right_as_the_card_says(name):
    """By the files themselves, as a visitor classifies them, without the data set's cache."""
    record = check.record_of(MODELS / name)
    files = manifest.read("caltech101")
    dataset = folders_dataset(sorted(files), torch.empty(0), manifest.digest(files))
    split = parse(record["config"]).draw.of(dataset)
    assert (dataset.content_hash, split.digest) == (record["data_hash"], record["split_hash"])
    model = multistage.load(name)
    found, expected = {}, {}
    for number in range(0, len(dataset.class_names), SOME):
        label = dataset.class_names[number]
        tested = split.test[dataset.labels[split.test] == number].tolist()
        found[label] = model.predict([IMAGES / dataset.names[n] for n in tested]).labels.count(label)
        expected[label] = record[SHIPPED]["correct"][number]
    assert found == expected


@pytest.mark.slow
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="there are no images in MULTISTAGE_DATA")
@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_as_accurate_as_its_card_says_to_the_last_digit(name, monkeypatch, capsys):
    monkeypatch.setenv("MULTISTAGE_DATA", str(REAL_DATA))
    if REAL_CACHE:
        monkeypatch.setenv("MULTISTAGE_CACHE", REAL_CACHE)
    assert script.main(["--check", name]) == 0, capsys.readouterr()
    assert capsys.readouterr().out == f"{name}: as its card says\n"
