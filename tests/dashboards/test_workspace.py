import json
import subprocess
import sys
from pathlib import Path

import pytest
from dashboards.wandb_files import inspect, rows

from multistage.dashboards import workspace
from multistage.train import protocol

SCRIPT = Path(__file__).parents[2] / "scripts" / "wandb_dashboard.py"


@pytest.fixture(scope="module")
def spec():
    return json.loads(workspace.serialised(workspace.comparison("team", "multistage", "ablation", "digits")))["section"]


@pytest.fixture(scope="module")
def panels(spec):
    sections = spec["panelBankConfig"]["sections"]
    return {section["name"]: section["panels"] for section in sections}


def test_its_sections(panels):
    kinds = {name: [panel["viewType"] for panel in content] for name, content in panels.items()}
    assert kinds == {
        "Accuracy": ["Bar Chart"] * 4,
        "Learning curves": ["Run History Line Plot"] * 4,
        "Cost": ["Bar Chart", "Scatter Plot"] * 2,
        "Classes": ["Weave", "Vega2"],
        "Filters": ["Media Browser"],
        "Runs compared": ["Run Comparer"],
    }


def test_accuracy_is_grouped_by_model_with_mean_and_standard_error(panels):
    config = panels["Accuracy"][0]["config"]
    assert config["metrics"] == ["final/test_mean_class_accuracy"]
    assert (config["groupBy"], config["groupAgg"], config["groupArea"]) == ("model.value", "mean", "stderr")


def test_cost_stands_against_accuracy(panels):
    axes = [(panel["config"]["xAxis"], panel["config"]["yAxis"]) for panel in panels["Cost"][1::2]]
    accuracy = "summary:final/test_mean_class_accuracy"
    assert axes == [("summary:seconds", accuracy), ("summary:parameters", accuracy)]


@pytest.fixture(scope="module")
def logged(train_once):
    """Two real offline runs, one over epochs and one over iterations: their settings, curves and summaries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "matching", lambda *_: {"value": 64.7})  # generated images are not in the paper
        runs = [
            train_once("logger=wandb", "trainer.max_epochs=1", "data.validation=2")[0],
            train_once("logger=wandb", "refine=false", "readout=lbfgs")[0],
        ]
    found = [(inspect(run.folder, "--summary"), rows(inspect(run.folder))) for run in runs]
    return {
        "config": {name for summary, _ in found for name in summary["config"]},
        "summary": {name for summary, _ in found for name in summary["summary"]},
        "history": [{*row} for _, history in found for row in history],
    }


def test_every_name_that_a_panel_shows_is_logged_by_real_runs(panels, logged):
    for panel in (panel for content in panels.values() for panel in content):
        config = panel["config"]
        group = config.get("groupBy", "model.value").removesuffix(".value")
        assert group in logged["config"]
        if panel["viewType"] == "Run History Line Plot":  # in rows that have both
            assert any({config["xAxis"], *config["metrics"]} <= row for row in logged["history"]), config
        else:
            axes = [config[axis].removeprefix("summary:") for axis in ("xAxis", "yAxis") if axis in config]
            assert {*config.get("metrics", []), *config.get("mediaKeys", []), *axes} <= logged["summary"]
    table, confusion = (json.dumps(panel["config"]) for panel in panels["Classes"])
    assert '"val": "classes/accuracy"' in table
    assert '"value": "classes/confusion_table"' in confusion
    assert {"classes/accuracy", "classes/confusion_table"} <= logged["summary"]


def test_every_column_filter_and_order_is_logged_by_real_runs(spec, logged):
    (runs,) = spec["runSets"]
    columns = [column.partition(":") for column in runs["runFeed"]["columnOrder"]]
    keys = [(key, name.removesuffix(".value")) for key, _, name in columns]
    keys += [(entry["key"]["section"], entry["key"]["name"]) for entry in runs["filters"]["filters"]]
    keys += [(entry["key"]["section"], entry["key"]["name"]) for entry in runs["sort"]["keys"]]
    of_runs = {"displayName", "group"}
    assert [(key, name) for key, name in keys if name not in (of_runs if key == "run" else logged[key])] == []


def test_it_holds_the_runs_asked_for_best_first(spec):
    (runs,) = spec["runSets"]
    wanted = [(entry["key"]["section"], entry["key"]["name"], entry["value"]) for entry in runs["filters"]["filters"]]
    assert wanted == [("run", "group", "ablation"), ("config", "data", "digits")]
    assert runs["sort"]["keys"][0] == {
        "key": {"section": "summary", "name": workspace.ACCURACY},
        "ascending": False,
    }


def test_without_filters_it_holds_all_runs():
    spec = json.loads(workspace.serialised(workspace.comparison("", "multistage")))
    assert spec["section"]["runSets"][0]["filters"]["filters"] == []


def test_saving_stores_what_is_printed(monkeypatch):
    """Up to the call that would go to wandb."""
    from wandb_workspaces.workspaces import internal

    sent = []

    def upsert(view):
        sent.append(view)
        return {"upsertView": {"view": {"name": view.name, "id": "1"}}}

    monkeypatch.setattr(internal, "upsert_view2", upsert)
    monkeypatch.setattr(workspace.ws.Workspace, "url", "https://wandb.example/team/multistage")
    made = workspace.comparison("team", "multistage")
    made.save()
    assert (sent[0].entity, sent[0].project) == ("team", "multistage")
    assert json.loads(workspace.serialised(made)) == json.loads(
        sent[0].spec.model_dump_json(by_alias=True, exclude_none=True)
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [([], 0, '"Bar Chart"'), (["--save"], 2, "--save needs --entity"), (["--help"], 0, "wandb login")],
)
def test_the_script(arguments, code, said, monkeypatch):
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
