"""What an offline run of wandb holds, as wandb itself reads it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from dashboards.example import SUMMARY, random_states, shown, whole_run
from dashboards.example import opened as make_opened
from dashboards.wandb_files import inspect, rows
from PIL import Image

from multistage.dashboards import wandb_run
from multistage.settings import composition

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """A real offline run: its folder, its summary and its records as wandb reads them."""
    folder = tmp_path_factory.mktemp("run")
    config = composition.plan(("data=fake", "logger=wandb", "name=first", "optimizer.lr=0.1")).config
    (folder / "wandb" / "offline-run-interrupted").mkdir(parents=True)
    (folder / "wandb" / "offline-run-interrupted" / "run-interrupted.wandb").touch()
    before = random_states()
    whole_run(config, folder)
    assert random_states() == before
    return folder, inspect(folder, "--summary"), inspect(folder)


def test_what_an_earlier_attempt_left_is_gone(offline):
    assert len(list(offline[0].glob("wandb/offline-run-*"))) == 1


def test_an_offline_run_holds_its_settings_as_nested_plain_values(offline):
    config = offline[1]["config"]
    assert config["model"] == "abs_lcn_avgpool"
    assert config["refine"] is True
    assert config["stages"] == 2
    assert config["optimizer"]["lr"] == 0.1
    assert config["model_options"]["pool"] == "average"
    assert config["geometry_options"]["stage1"]["kernel"] == 5


def test_an_offline_run_holds_its_last_metrics_and_its_summary(offline):
    summary = offline[1]["summary"]
    assert offline[1]["state"] == "finished"
    assert {name: summary[name] for name in SUMMARY.numbers} == pytest.approx(SUMMARY.numbers)
    assert summary["paper"] == 64.7
    assert summary["paper_difference"] == pytest.approx(0.3)
    assert [(row["epoch"], row["train_loss"]) for row in rows(offline[2])] == [(1, 1.0), (2, 0.5)]


def test_curves_have_epochs_as_their_x_axis_and_keep_their_best_and_last_values(offline):
    defined = {record["metric"]["name"]: record["metric"] for record in offline[2] if record["type"] == "metric"}
    assert {name: metric.get("step_metric") for name, metric in defined.items()} == {
        "epoch": None,
        "train_loss": "epoch",
        "train_accuracy": "epoch",
        "lr-SGD": "epoch",
    }
    assert defined["epoch"]["options"]["hidden"]
    assert {name: metric.get("summary") for name, metric in defined.items()} == {
        "epoch": None,
        "train_loss": {"min": True, "last": True},
        "train_accuracy": {"max": True, "last": True},
        "lr-SGD": None,
    }
    summary = offline[1]["summary"]
    assert summary["train_loss"] == {"min": 0.5, "last": 0.5}
    assert summary["train_accuracy"] == {"max": 0.9, "last": 0.45}
    assert summary["lr-SGD"] == 0.1


def test_a_readout_that_counts_iterations_has_them_as_its_x_axis(plan, tmp_path):
    with make_opened(plan("logger=wandb").config, tmp_path) as opened:
        opened.log({"iteration": 20, "train_loss": 1.0})
    defined = {r["metric"]["name"]: r["metric"].get("step_metric") for r in inspect(tmp_path) if r["type"] == "metric"}
    assert defined == {"iteration": None, "train_loss": "iteration"}


def test_an_offline_run_says_where_it_belongs(offline):
    (run,) = [record["run"] for record in offline[2] if record["type"] == "run"]
    assert run["project"] == "multistage"
    assert run["run_group"] == "first"
    assert run["job_type"] == "abs_lcn_avgpool"
    assert run["display_name"] == "digits/a"
    assert run["tags"] == ["fake", "random", "refined", "softmax"]
    assert run["run_id"] == wandb_run.identifier("multistage", "first", "digits/a")


def test_pictures_and_tables_are_wandb_objects_in_the_runs_own_folder(offline):
    folder, found, records = offline
    summary = found["summary"]
    assert summary["filters/before"]["_type"] == summary["filters/after"]["_type"] == "image-file"
    assert summary["classes/accuracy"]["_type"] == summary["classes/confusion_table"]["_type"] == "table-file"
    (files,) = folder.rglob("offline-run-*/files")
    table = json.loads((files / summary["classes/accuracy"]["path"]).read_text())
    assert table["columns"] == ["class", "correct", "total", "accuracy"]
    assert table["data"] == [["ant", 3, 3, 1.0], ["bee", 0, 1, 0.0]]
    confusion = json.loads((files / summary["classes/confusion_table"]["path"]).read_text())
    assert confusion["data"] == [["ant", "ant", 3], ["bee", "ant", 1], ["bee", "bee", 0]]
    staged = [
        entry["local_path"] for r in records if "artifact" in r for entry in r["artifact"]["manifest"]["contents"]
    ]
    assert len(staged) == 2
    assert all(Path(path).is_relative_to(folder) for path in staged)


def test_filters_over_three_maps_are_in_colour(plan, tmp_path):
    red = np.tile(np.array([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1), (4, 1, 5, 5))
    whole_run(plan("logger=wandb").config, tmp_path, replace(SUMMARY, kernels_after=red))
    (path,) = tmp_path.rglob("filters/after*.png")
    picture = Image.open(path)
    assert (picture.mode, picture.getpixel((0, 0))) == ("RGB", (255, 0, 0))


def test_tags_name_the_row_of_the_papers_table(plan):
    config = {**plan("refine=false", "readout=lbfgs").config, "data": "caltech101"}
    assert wandb_run.tags(shown(config, ROOT)) == ["caltech101", "random", "frozen", "lbfgs", "row RR"]
    for cell in yaml.safe_load((ROOT / "results" / "paper.yaml").read_text())["table1"]:
        assert f"row {cell['row']}" in wandb_run.tags(shown({**config, **cell}, ROOT))
