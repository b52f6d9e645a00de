import json
import subprocess
import sys
from pathlib import Path

import pytest

from multistage import loggers
from multistage.errors import ConfigError
from multistage.quiet import quiet


def wandb_runs(folder):
    """Offline wandb runs below a folder, read back with wandb's own reader."""
    wandb = Path(sys.executable).with_name("wandb")
    found = []
    for path in sorted(folder.rglob("*.wandb")):
        output = subprocess.run([wandb, "leet", "inspect", "--summary", "--json", path], capture_output=True, text=True)
        found.append(json.loads(output.stdout))
    return found


def test_wandb_runs_are_offline_finished_and_apart(plan, tmp_path):
    for seed in (0, 1):
        run = plan("logger=wandb", f"seed={seed}")
        with quiet(), loggers.open_loggers(run.config, tmp_path / str(seed), f"run-{seed}") as opened:
            loggers.log_metrics(opened, 0, {"train_loss": 0.5 + seed})
    found = wandb_runs(tmp_path)
    assert len(found) == 2
    assert "train_loss" in json.dumps(found[0])
    assert "abs_lcn_avgpool" in json.dumps(found[0])


def test_a_failing_run_is_marked_failed(plan, tmp_path, monkeypatch):
    import wandb

    codes = []
    finish = wandb.Run.finish
    monkeypatch.setattr(
        wandb.Run, "finish", lambda self, exit_code=None, **k: (codes.append(exit_code), finish(self, exit_code, **k))
    )
    run = plan("logger=wandb")
    with pytest.raises(ZeroDivisionError), quiet(), loggers.open_loggers(run.config, tmp_path, "failing"):
        raise ZeroDivisionError
    assert codes == [1]


def test_online_without_a_key_is_refused_not_asked_for(plan, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    run = plan("logger=wandb", "logger.mode=online")
    with pytest.raises(ConfigError, match="wandb login"):
        loggers.check_logger(run.config)


@pytest.mark.parametrize("name", ["wandb", "tensorboard"])
def test_a_logger_that_is_not_installed_is_named(plan, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    run = plan(f"logger={name}")
    with pytest.raises(ConfigError, match=f"pip install {name}"):
        loggers.check_logger(run.config)


def test_tensorboard_writes_event_files(plan, tmp_path):
    run = plan("logger=tensorboard")
    with quiet(), loggers.open_loggers(run.config, tmp_path, "x") as opened:
        loggers.log_metrics(opened, 0, {"train_loss": 0.5})
    assert list(tmp_path.rglob("events.out.tfevents.*"))
    assert "train_loss" in (tmp_path / "metrics.csv").read_text()
