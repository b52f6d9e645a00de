"""Wandb's own process is killed or stopped: it costs one warning, and no run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dashboards.example import SUMMARY, whole_run
from dashboards.example import opened as make_opened
from dashboards.wandb_processes import ROOT, children

from multistage import dashboards

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds wandb's process in /proc")


def within(seconds, found):
    """What is found, waited for."""
    deadline = time.monotonic() + seconds
    while not (what := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return what


def test_the_death_of_wandbs_own_process_costs_one_warning_and_the_next_run_is_whole(plan, tmp_path, warned):
    config = plan("logger=wandb").config
    with make_opened(config, tmp_path / "a", "a") as opened:
        opened.log({"epoch": 1, "train_loss": 1.0})
        for process in children():
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
            assert within(10, lambda: list(tmp_path.rglob("a/wandb/offline-run-*/files/media/table/classes/*.json")))
        for process in children():
            os.kill(process, signal.SIGSTOP)
        for step in range(2, 5000 if moment == "during" else 2):  # more than fits into a socket
            opened.log({"epoch": step, "train_loss": 0.5})
        opened._patience, began = 2.0, time.monotonic()
    assert time.monotonic() - began < 8
    assert len(warned()) == 1
    assert "did not answer" in warned()[0]
    assert not list(children())
    whole_run(config, tmp_path / "b")
    assert len(list(tmp_path.rglob("b/wandb/offline-run-*/files/media/table/classes/*.json"))) == 2
    assert len(warned()) == 1
    assert not list(children())


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["start", "log", "summarise", "finish"])
def test_a_run_whose_wandb_is_stopped_ends_in_time_with_its_results(tmp_path, moment):
    """The command itself, until Python has ended; wandb's process is stopped as soon as there is one, or later."""
    hook = """
import multistage.dashboards as d, os, signal, sys, threading, time
sys.path.insert(0, "tests")
from dashboards.wandb_processes import children
def stop():
    while not (found := list(children())):
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
