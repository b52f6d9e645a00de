import json
import subprocess
import sys
from pathlib import Path

import pytest
from dashboards.example import SUMMARY

from multistage.dashboards import workspace

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
        "Accuracy by model": ["Bar Chart"] * 3,
        "Learning curves": ["Run History Line Plot"] * 3,
        "Runs compared": ["Run Comparer"],
        "Cost against accuracy": ["Scatter Plot"] * 2,
        "Classes": ["Weave", "Vega2"],
        "Filters": ["Media Browser"],
    }


def test_accuracy_is_grouped_by_model_with_mean_and_spread(panels):
    config = panels["Accuracy by model"][0]["config"]
    assert config["metrics"] == ["test_mean_class_accuracy"]
    assert (config["groupBy"], config["groupAgg"], config["groupArea"]) == ("model.value", "mean", "stddev")


def test_cost_stands_against_accuracy(panels):
    axes = [(panel["config"]["xAxis"], panel["config"]["yAxis"]) for panel in panels["Cost against accuracy"]]
    accuracy = "summary:test_mean_class_accuracy"
    assert axes == [("summary:seconds", accuracy), ("summary:parameters", accuracy)]


def test_every_name_it_shows_is_one_that_runs_log(panels):
    logged = {*SUMMARY.numbers, *SUMMARY.kernels, "train_loss", "validation_accuracy"}
    for content in panels.values():
        for panel in content:
            config = panel["config"]
            shown = [*config.get("metrics", []), *config.get("mediaKeys", [])]
            shown += [
                config[axis].removeprefix("summary:") for axis in ("xAxis", "yAxis") if ":" in config.get(axis, "")
            ]
            assert set(shown) <= logged
    assert '"val": "per_class"' in json.dumps(panels["Classes"][0])
    assert '"value": "confusion_table"' in json.dumps(panels["Classes"][1])


def test_it_holds_the_runs_asked_for_best_first(spec):
    (runs,) = spec["runSets"]
    wanted = [(entry["key"]["section"], entry["key"]["name"], entry["value"]) for entry in runs["filters"]["filters"]]
    assert wanted == [("run", "group", "ablation"), ("config", "data", "digits")]
    assert runs["sort"]["keys"][0] == {
        "key": {"section": "summary", "name": "test_mean_class_accuracy"},
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
