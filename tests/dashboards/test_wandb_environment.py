"""Which of wandb's environment variables count, and what a home that cannot be written costs."""

import re
import sys

import pytest
import wandb
from dashboards.example import opened as make_opened
from dashboards.example import whole_run
from dashboards.wandb_files import inspect
from dashboards.wandb_processes import ROOT, online, process

from multistage.dashboards import wandb_run
from multistage.registry.errors import ConfigError


def test_wandbs_variables_count_where_nothing_is_typed(plan, tmp_path, monkeypatch, started):
    monkeypatch.setattr(wandb, "login", lambda prompt: True)
    for name, value in {"MODE": "online", "PROJECT": "mine", "ENTITY": "team"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    with make_opened(plan("logger=wandb").config, tmp_path, "a"):
        assert {key: started.asked[key] for key in ("mode", "project", "entity")} == {
            "mode": "online",
            "project": "mine",
            "entity": "team",
        }
    typed = ("logger.mode=offline", "logger.project=multistage", "logger.entity=null")
    with make_opened(plan("logger=wandb", *typed).config, tmp_path, "a"):
        assert {key: started.asked[key] for key in ("mode", "project", "entity")} == {
            "mode": "offline",
            "project": "multistage",
            "entity": None,
        }


def test_tags_notes_and_a_group_from_the_environment_are_kept(plan, tmp_path, monkeypatch):
    for name, value in {"TAGS": "tuning,today", "NOTES": "a remark", "RUN_GROUP": "mine"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    with make_opened(plan("logger=wandb").config, tmp_path):
        pass
    (run,) = [record["run"] for record in inspect(tmp_path) if record["type"] == "run"]
    assert run["tags"] == ["fake", "random", "refined", "softmax", "tuning", "today"]
    assert (run["notes"], run["run_group"], run["display_name"]) == ("a remark", "mine", "digits/a")
    assert run["run_id"] == wandb_run.identifier("multistage", "mine", "digits/a")


def test_variables_that_the_documentation_names_are_wandbs():
    text = (ROOT / "docs" / "dashboards.md").read_text()
    assert {*re.findall(r"WANDB_\w+", text)} <= {value for value in vars(wandb.env).values() if isinstance(value, str)}


def test_names_and_folders_from_the_environment_have_no_effect(plan, tmp_path, monkeypatch):
    names = ("NAME", "RUN_ID", "JOB_TYPE", "DIR", "RESUME")
    for name in names:
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / "elsewhere") if name == "DIR" else "must")
    config = plan("logger=wandb").config
    whole_run(config, tmp_path / "run")
    found = inspect(tmp_path / "run")
    (run,) = [record["run"] for record in found if record["type"] == "run"]
    assert (run["display_name"], run["job_type"]) == ("digits/a", config["model"])
    assert run["run_id"] == wandb_run.identifier("multistage", "adhoc", "digits/a")
    assert not (tmp_path / "elsewhere").exists()


def test_wandb_that_is_disabled_does_nothing(plan, tmp_path, monkeypatch, started):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    whole_run(plan("logger=wandb").config, tmp_path)
    assert not started.asked
    assert not list(tmp_path.iterdir())


def test_a_variable_of_wandb_that_is_not_allowed_is_named(plan, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "dryrun")
    with pytest.raises(ConfigError, match=r"logger\.mode=dryrun is not allowed; expected .*WANDB_MODE"):
        plan("logger=wandb")


@pytest.mark.slow
def test_typed_online_counts_against_a_variable_that_says_offline(tmp_path):
    """In a process of its own; wandb itself is asked whether it can log in, without a key."""
    done = online(tmp_path, WANDB_MODE="offline", NETRC=str(tmp_path / "none"))
    (line,) = done.stderr.splitlines()
    assert "there is no key" in line


@pytest.mark.slow
def test_a_home_that_cannot_be_written_is_quiet(tmp_path):
    """A file stands where the home should be, which stops root too."""
    (tmp_path / "file").touch()
    code = (
        "from multistage.cli.train import main\n"
        f"raise SystemExit(main(['data=fake', 'logger=wandb', 'trainer.max_epochs=1', 'output={tmp_path}/runs']))\n"
    )
    done = process(tmp_path, sys.executable, "-c", code, HOME=str(tmp_path / "file" / "home"))
    assert done.stderr == ""
    assert inspect(tmp_path / "runs", "--summary")["state"] == "finished"
