import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import wandb
import yaml
from dashboards.example import SUMMARY, random_states, shown, whole_run
from dashboards.example import opened as make_opened
from dashboards.wandb_files import inspect, rows
from PIL import Image

from multistage import dashboards
from multistage.dashboards import wandb_run
from multistage.registry.errors import ConfigError
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


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds wandb's process in /proc")
def test_the_death_of_wandbs_own_process_costs_one_warning_and_the_next_run_is_whole(plan, tmp_path, warned):
    config = plan("logger=wandb").config
    with make_opened(config, tmp_path / "a", "a") as opened:
        opened.log({"epoch": 1, "train_loss": 1.0})
        for process in _children():
            os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not warned() and time.monotonic() < deadline:
            opened.log({"epoch": 2, "train_loss": 0.5})
            time.sleep(0.05)
        opened.summarise(SUMMARY)
    assert len(warned()) == 1
    whole_run(config, tmp_path / "b")
    assert len(list(tmp_path.rglob("b/wandb/offline-run-*/files/media/table/classes/*.json"))) == 2
    assert len(warned()) == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds wandb's process in /proc")
@pytest.mark.parametrize("moment", ["during", "end"])
def test_a_wandb_that_is_stopped_costs_one_warning_and_the_next_run_is_whole(
    plan, tmp_path, monkeypatch, warned, moment
):
    monkeypatch.setattr(dashboards, "GRACE", 2.0)
    config = plan("logger=wandb").config
    with make_opened(config, tmp_path / "a", "a") as opened:
        opened.log({"epoch": 1, "train_loss": 1.0})
        if moment == "end":
            opened.summarise(SUMMARY)
            assert _within(10, lambda: list(tmp_path.rglob("a/wandb/offline-run-*/files/media/table/classes/*.json")))
        for process in _children():
            os.kill(process, signal.SIGSTOP)
        for step in range(2, 5000 if moment == "during" else 2):  # more than fits into a socket
            opened.log({"epoch": step, "train_loss": 0.5})
        opened._patience, began = 2.0, time.monotonic()
    assert time.monotonic() - began < 8
    assert len(warned()) == 1
    assert "did not answer" in warned()[0]
    assert not list(_children())
    whole_run(config, tmp_path / "b")
    assert len(list(tmp_path.rglob("b/wandb/offline-run-*/files/media/table/classes/*.json"))) == 2
    assert len(warned()) == 1
    assert not list(_children())


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["start", "log", "summarise", "finish"])
def test_a_run_whose_wandb_is_stopped_ends_in_time_with_its_results(tmp_path, moment):
    """The command itself, until Python has ended; wandb's process is stopped as soon as there is one, or later."""
    hook = """
import multistage.dashboards as d, os, signal, sys, threading, time
sys.path.insert(0, "tests")
from dashboards.test_wandb_run import _children
def stop():
    while not (found := list(_children())):
        time.sleep(0.001)
    [os.kill(process, signal.SIGSTOP) for process in found]
def patched(name, call):
    def stopped(*arguments):
        threading.Thread(target=stop, daemon=True).start() if name == "start" else stop()
        return call(*arguments)
    return stopped
from multistage.dashboards import loggers
from multistage.dashboards.wandb_run import WandbRun
owner, name = (loggers["wandb"], "start") if MOMENT == "start" else (WandbRun, MOMENT)
setattr(owner, name, patched(name, getattr(owner, name)))
from multistage.cli.train import main
began = time.monotonic()
sys.exit(main(["data=fake", "logger=wandb", "trainer.max_epochs=2", "output=" + OUTPUT]))
"""
    code = f"MOMENT, OUTPUT = {moment!r}, {str(tmp_path)!r}\n{hook}"
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 30 + 30  # imports and training
    assert done.stderr.count("logger=wandb") == 1
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.rglob("result.json"))


def _within(seconds, found):
    """What is found, waited for."""
    deadline = time.monotonic() + seconds
    while not (what := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return what


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
    code = (
        "from multistage.settings import composition; from dashboards.example import opened\n"
        "from pathlib import Path; import wandb\n"
        "config = composition.plan(('data=fake', 'logger=wandb', 'logger.mode=online')).config\n"
        f"with opened(config, Path({str(tmp_path)!r})): pass\n"
    )
    done = _process(code, tmp_path, WANDB_MODE="offline", HOME=str(tmp_path), NETRC=str(tmp_path / "none"))
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
    done = _process(code, tmp_path, HOME=str(tmp_path / "file" / "home"))
    assert done.stderr == ""
    assert inspect(tmp_path / "runs", "--summary")["state"] == "finished"


def _process(code, folder, **variables):
    """Python by itself, whose environment has nothing of wandb's but this."""
    known = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "XDG", "MPL"))}
    paths = os.pathsep.join(str(ROOT / name) for name in ("src", "tests"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**known, "PYTHONPATH": paths, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


def _children():
    """wandb-core below this process."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if name.startswith("wandb-core") and int(rest.split()[1]) == os.getpid():
            yield int(stat.parent.name)


@pytest.fixture
def started(monkeypatch):
    """What `wandb.init` is asked for; no run is made."""
    asked = {}
    run = SimpleNamespace(dir="runs/x/wandb/run-1/files", step=0, logged=[], summary={}, finish=lambda exit_code: None)
    run.log = lambda row, step=None: run.logged.append((step, row))
    run.define_metric = lambda *_, **__: None

    def init(**arguments):
        asked.update(arguments)
        return run

    monkeypatch.setattr(wandb, "init", init)
    wandb_run.can_be_online.cache_clear()
    yield SimpleNamespace(asked=asked, run=run)
    wandb_run.can_be_online.cache_clear()


def test_online_without_a_key_is_offline_says_so_once_and_asks_nothing(
    plan, tmp_path, monkeypatch, warned, capfd, started
):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("asked"))
    config = plan("logger=wandb", "logger.mode=online").config
    for name in ("a", "b"):
        with make_opened(config, tmp_path / name, name):
            assert started.asked["mode"] == "offline"
    (message,) = warned()
    assert "no key" in message
    assert "wandb login" in message


def test_online_without_a_server_is_offline(plan, tmp_path, monkeypatch, warned, started):
    def login(prompt):
        assert not prompt
        raise wandb.errors.AuthenticationError("no\nanswer")

    monkeypatch.setattr(wandb, "login", login)
    with make_opened(plan("logger=wandb", "logger.mode=online").config, tmp_path, "a"):
        assert started.asked["mode"] == "offline"
    (message,) = warned()
    assert "no answer" in message
    assert "wandb sync" in message


@pytest.mark.slow
def test_online_with_a_key_but_no_network_is_offline(tmp_path):
    """In a process of its own, since wandb reads its settings once; nothing listens at the address."""
    code = (
        "from multistage.settings import composition; from dashboards.example import whole_run\n"
        "from pathlib import Path\n"
        "config = composition.plan(('data=fake', 'logger=wandb', 'logger.mode=online')).config\n"
        f"whole_run(config, Path({str(tmp_path)!r}))\n"
    )
    paths = [str(ROOT), str(ROOT / "src"), str(ROOT / "tests")]
    key = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_SILENT": "true"}
    environment = {**os.environ, **key, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "logger.mode=online is not possible" in done.stderr
    assert inspect(tmp_path, "--summary")["state"] == "finished"


def test_online_a_run_has_always_the_same_id_and_rows_the_server_has_are_left_out(plan, tmp_path, monkeypatch, started):
    monkeypatch.setattr(wandb, "login", lambda prompt: True)
    config = plan("logger=wandb", "logger.mode=online", "name=tuning").config
    started.run.step = 2
    with make_opened(config, tmp_path, "digits/a") as opened:
        for step in (1, 2, 3):
            opened.log({"epoch": step, "train_loss": 0.5})
    assert started.asked["mode"] == "online"
    assert started.asked["resume"] == "allow"
    assert started.asked["id"] == wandb_run.identifier("multistage", "tuning", "digits/a")
    assert started.run.logged == [(step, {"epoch": step, "train_loss": 0.5}) for step in (2, 3)]
    assert len({wandb_run.identifier(*parts) for parts in ("aab", "aba", "baa", "aac")}) == 4


def test_a_failing_run_is_marked_failed(plan, tmp_path, started):
    codes = []
    started.run.finish = lambda exit_code: codes.append(exit_code)
    with pytest.raises(ZeroDivisionError), make_opened(plan("logger=wandb").config, tmp_path, "a"):
        raise ZeroDivisionError
    assert codes == [1]


def test_a_run_trained_anew_does_not_continue_the_old_one(plan, tmp_path, started):
    with make_opened(plan("logger=wandb", "overwrite=true").config, tmp_path, "a"):
        assert started.asked["resume"] is None


def test_a_wandb_that_cannot_start_costs_one_warning(plan, tmp_path, monkeypatch, warned):
    def init(**_):
        raise wandb.errors.CommError("no\nservice")

    monkeypatch.setattr(wandb, "init", init)
    whole_run(plan("logger=wandb").config, tmp_path)
    (message,) = warned()
    assert "no service" in message


def test_an_upload_that_is_not_done_in_time_says_how_to_do_it_later(plan, tmp_path, warned, started):
    def finish(exit_code):
        raise TimeoutError

    started.run.finish = finish
    with make_opened(plan("logger=wandb").config, tmp_path, "a"):
        pass
    (message,) = warned()
    assert "wandb sync runs/x/wandb/run-1'" in message


def test_tags_name_the_row_of_the_papers_table(plan):
    config = {**plan("refine=false", "readout=lbfgs").config, "data": "caltech101"}
    assert wandb_run.tags(shown(config, ROOT)) == ["caltech101", "random", "frozen", "lbfgs", "row RR"]
    for cell in yaml.safe_load((ROOT / "results" / "paper.yaml").read_text())["table1"]:
        assert f"row {cell['row']}" in wandb_run.tags(shown({**config, **cell}, ROOT))


def test_each_parameter_of_the_sweep_can_be_typed():
    """Through wandb's own code from parameters to a command line."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    sweep = yaml.safe_load((ROOT / "conf" / "wandb_sweep.yaml").read_text())
    assert (ROOT / sweep["program"]).is_file()
    assert sweep["command"][2:] == ["${program}", "${args_no_hyphens}"]
    choices = {
        key: [rule["value"]] if "value" in rule else rule.get("values") or [rule["min"], rule["max"]]
        for key, rule in sweep["parameters"].items()
    }
    for turn in range(max(map(len, choices.values()))):
        values = {"args": {key: {"value": found[turn % len(found)]} for key, found in choices.items()}}
        config = composition.plan(create_sweep_command_args(values)["args_no_hyphens"]).config
        assert {key: config[key] for key in choices} == {key: value["value"] for key, value in values["args"].items()}
        assert config["logger.mode"] == "online"
        assert config["data.validation"] > 0
    assert sweep["metric"] == {"name": "final/validation_accuracy", "goal": "maximize"}
