"""What wandb's own client sends to a server, which here is a small one on this machine."""

import json
import re

import pytest
from dashboards.example import SUMMARY, whole_run
from dashboards.server import serving
from dashboards.wandb_files import WANDB, inspect
from dashboards.wandb_processes import online, process
from texts.pages import PAGES, commands

from multistage.dashboards import wandb_run
from multistage.settings import composition


@pytest.fixture
def server():
    with serving() as server:
        yield server


def check(server):
    """It has the whole run of `dashboards.example`, once."""
    first, *_ = server.runs
    assert first["name"] == wandb_run.identifier("multistage", "adhoc", "digits/a")
    assert {run["name"] for run in server.runs} == {first["name"]}
    assert (first["project"], first["groupName"]) == ("multistage", "adhoc")
    assert (first["displayName"], first["jobType"]) == ("digits/a", "abs_lcn_avgpool")
    assert first["tags"] == ["fake", "random", "refined", "softmax"]
    assert json.loads(server.runs[-1]["config"])["model"]["value"] == "abs_lcn_avgpool"
    assert [(row["epoch"], row["train_loss"]) for row in server.rows] == [(1, 1.0), (2, 0.5)]
    summary = json.loads(server.files["wandb-summary.json"])
    assert {name: summary[name] for name in SUMMARY.numbers} == pytest.approx(SUMMARY.numbers)
    assert summary["train_loss"] == {"min": 0.5, "last": 0.5}
    media = {re.sub(r"_\d+_\w+", "", name) for name in server.files if name.startswith("media/")}
    assert media == {
        "media/images/filters/before.png",
        "media/images/filters/after.png",
        "media/table/classes/accuracy.table.json",
        "media/table/classes/confusion_table.table.json",
    }


def test_an_offline_run_is_synced_later_as_a_whole(server, tmp_path):
    """By the line of docs/dashboards.md that uploads all runs."""
    whole_run(composition.plan(("data=fake", "logger=wandb")).config, tmp_path / "runs" / "a")
    assert not server.runs
    *_, line = (line for line in commands(PAGES["docs/dashboards.md"]) if line.startswith("wandb sync"))
    process(tmp_path, "sh", "-c", line.replace("wandb", str(WANDB), 1), **server.environment)
    check(server)


@pytest.mark.slow
def test_an_online_run_is_sent_at_once_and_kept(server, tmp_path):
    done = online(tmp_path, **server.environment)
    assert done.stderr == ""
    check(server)
    assert inspect(tmp_path, "--summary")["state"] == "finished"
