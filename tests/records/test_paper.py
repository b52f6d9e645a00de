from collections import Counter
from pathlib import Path

import pytest
import yaml

from audit.tables.layout import letters
from multistage.records.paper import matching, row
from multistage.settings.config import rule_of

ROOT = Path(__file__).parents[2]
PLACE = {"table", "row", "column", "value", "error", "source"}


def test_table_1_has_44_figures_and_no_place_twice(published):
    table1 = [entry for entry in published if entry["table"] == 1]
    assert len(table1) == 44
    places = Counter((entry["row"], entry["stages"], entry["column"], entry.get("readout")) for entry in table1)
    assert set(places.values()) == {1}
    assert {entry["error"] for entry in table1} == {1.0, 1.5, 1.6, 1.9, 2.2}


def test_every_entry_says_where_it_stands_and_holds_nothing_unknown(published):
    assert len(published) == 44 + 1 + 40
    for entry in published:
        assert entry.keys() >= PLACE
        assert all(map(rule_of, entry.keys() - PLACE - {"printed", "note"})), entry
        assert 0 < entry["value"] < 100
        assert entry["error"] is None or 0 < entry["error"] < 3
        if "printed" in entry:
            assert entry["value"] == pytest.approx(100 - float(entry["printed"].split()[0]))


def test_settings_of_an_entry_belong_to_its_row_and_column(published):
    for entry in published:
        preset = yaml.safe_load((ROOT / "conf" / "model" / f"{entry['model']}.yaml").read_text(encoding="utf-8"))
        assert {f"model.{key}": value for key, value in preset.items()}.items() <= entry.items(), entry
        assert entry["row"] in (letters(entry), f"{letters(entry)}R+R+"), entry


def test_every_entry_is_found_by_its_own_settings_alone(published):
    for entry in published:
        config = {key: value for key, value in entry.items() if rule_of(key)} | {"readout": entry.get("readout", "sgd")}
        found = [other for other in published if matching([other], config)]
        assert found == [entry]


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"data": "caltech101", "refine": "false", "readout": "lbfgs"}, 62.9),
        ({"data": "caltech101", "refine": "false", "readout": "sgd", "model": "avgpool"}, 8.8),
        (
            {"data": "caltech101", "refine": "false", "contrast_norm__border": "reflect"},
            62.9,
        ),  # the paper leaves it open
        ({"data": "caltech101", "refine": "false", "filters": "psd", "readout": "pyramid_svm", "stages": "1"}, 64.0),
        ({"data": "caltech101", "refine": "false", "filters": "psd", "readout": "pyramid_svm"}, 52.8),
        ({"data": "caltech101", "refine": "false", "readout": "pyramid_svm"}, None),
        ({"data": "caltech101"}, 64.7),
        ({"data": "caltech101", "stages": "1", "model": "lcn_maxpool"}, 38.0),
        ({"data": "caltech101", "data__train_per_class": "15"}, None),
        ({"data": "caltech101", "data__validation": "5"}, None),
        ({"data": "caltech101", "data__colour": "rgb"}, None),
        ({"data": "caltech101", "geometry__stage2__maps": "128"}, None),
        ({"data": "caltech101", "model__rectify": "relu"}, None),
        ({"data": "caltech101", "hidden": "50"}, None),
        ({"data": "caltech101", "data__test_per_class": "null"}, None),
        ({"data": "caltech101", "refine": "false", "readout": "lbfgs", "filters__banks": "4"}, None),
        ({"data": "caltech101", "refine": "false", "readout": "lbfgs", "readout__levels": "[2,1]"}, None),
        ({"data": "caltech101", "model": "relu_avgpool"}, None),
        ({"data": "norb", "data__train_per_class": "20"}, 71.7),
        ({"data": "norb", "model": "avgpool"}, 93.1),
        ({"data": "mnist"}, None),  # the paper's MNIST network learned its filters without labels first
    ],
    ids=str,
)
def test_runs_find_their_figure(record, published, settings, value):
    entry = matching(published, record(**settings)["config"])
    assert (entry and entry["value"]) == value


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "R+R+"),
        ({"stages": "1", "refine": "false", "filters": "psd"}, "U"),
        ({"refine": "false", "filters": "gabor"}, "GT"),
        ({"filters": "gabor"}, None),
        ({"stages": "3"}, None),
        ({"data": "mnist"}, None),
    ],
    ids=str,
)
def test_a_run_has_a_row_of_table_1_if_there_is_one(record, settings, expected):
    assert row(record(**{"data": "caltech101", **settings})["config"]) == expected
