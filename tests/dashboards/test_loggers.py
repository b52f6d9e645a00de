import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from dashboards.example import SUMMARY, whole_run
from dashboards.example import opened as make_opened

from multistage import dashboards as loggers


def test_csv_has_no_dashboard(plan, tmp_path):
    with make_opened(plan("logger=csv").config, tmp_path, "x") as opened:
        opened.log({"epoch": 1, "train_loss": 1.0})
        opened.summarise(SUMMARY)
    assert list(tmp_path.iterdir()) == []


class Failing:
    """A dashboard that fails at one moment."""

    def __init__(self, moment, error=None):
        self.moment, self.error = moment, error or OSError(28, "No space left on device")
        self.done = []

    def _do(self, moment):
        self.done.append(moment)
        if moment == self.moment:
            raise self.error

    def log(self, row):
        self._do("log")

    def summarise(self, summary):
        self._do("summarise")

    def finish(self, exit_code):
        self._do(f"finish {exit_code}")


class Hanging(Failing):
    """A dashboard that waits at one moment for a file that nobody writes."""

    def __init__(self, moment, fifo):
        super().__init__(None)
        self.hangs, self.fifo = moment, fifo
        os.mkfifo(fifo)

    def _do(self, moment):
        if moment.startswith(self.hangs):
            self.fifo.read_bytes()
        super()._do(moment)

    def release(self):
        with suppress(OSError):
            os.close(os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize("moment", ["start", "log", "summarise", "finish"])
def test_a_dashboard_that_hangs_costs_a_limited_time_and_one_warning(plan, tmp_path, monkeypatch, warned, moment):
    monkeypatch.setattr(loggers, "PATIENCE", 1.0)
    monkeypatch.setattr(loggers, "GRACE", 0.1)
    dashboard = Hanging(moment, tmp_path / "fifo")
    monkeypatch.setattr(loggers.loggers["wandb"], "start", lambda *_: dashboard._do("start") or dashboard)
    config = plan("logger=wandb").config
    began = time.monotonic()
    whole_run(config, tmp_path)
    assert 0.7 < time.monotonic() - began < 1.5
    (message,) = warned()
    assert "logger=wandb did not answer within 1 seconds; the run goes on" in message
    dashboard.release()


@pytest.mark.parametrize(
    ("moment", "done"),
    [
        ("log", ["log", "finish 1"]),
        ("summarise", ["log", "log", "summarise", "finish 1"]),
        ("finish 0", ["log", "log", "summarise", "finish 0"]),
    ],
)
def test_a_dashboard_that_fails_ends_with_one_warning_and_the_run_goes_on(
    plan, tmp_path, monkeypatch, warned, moment, done
):
    dashboard = Failing(moment)
    monkeypatch.setattr(loggers.loggers["wandb"], "start", lambda *_: dashboard)
    whole_run(plan("logger=wandb").config, tmp_path)
    assert dashboard.done == done
    (message,) = warned()
    assert "No space left on device" in message
    assert "metrics.csv" in message
    assert "logger=csv" in message


def test_a_library_that_wants_to_end_the_process_ends_its_dashboard_alone(plan, tmp_path, monkeypatch, warned):
    dashboard = Failing("log", SystemExit("no more"))
    monkeypatch.setattr(loggers.loggers["wandb"], "start", lambda *_: dashboard)
    whole_run(plan("logger=wandb").config, tmp_path)
    assert dashboard.done == ["log", "finish 1"]
    (message,) = warned()
    assert "no more" in message


def test_a_failure_inside_the_run_is_not_swallowed_and_ends_the_dashboard_as_failed(plan, tmp_path, monkeypatch):
    dashboard = Failing(None)
    monkeypatch.setattr(loggers.loggers["wandb"], "start", lambda *_: dashboard)
    with pytest.raises(ZeroDivisionError), make_opened(plan("logger=wandb").config, tmp_path):
        raise ZeroDivisionError
    assert dashboard.done == ["finish 1"]


def test_who_interrupts_while_a_dashboard_is_waited_for_is_heard_at_once(plan, tmp_path, monkeypatch, warned):
    dashboard, began = Hanging("finish", tmp_path / "fifo"), time.monotonic()
    monkeypatch.setattr(loggers.loggers["wandb"], "start", lambda *_: dashboard)
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        whole_run(plan("logger=wandb").config, tmp_path)
    assert time.monotonic() - began < loggers.GRACE + 5
    assert len(warned()) == 1
    dashboard.release()


@pytest.mark.parametrize(("name", "module"), [("wandb", "wandb_run"), ("tensorboard", "tensorboard_events")])
def test_a_logger_that_is_not_installed_is_named_and_the_run_goes_on(plan, tmp_path, monkeypatch, warned, name, module):
    monkeypatch.setitem(sys.modules, name, None)
    for imported in (f"multistage.dashboards.{module}", "torch.utils.tensorboard"):
        monkeypatch.delitem(sys.modules, imported, raising=False)
    whole_run(plan(f"logger={name}").config, tmp_path)
    (message,) = warned()
    assert f"pip install {name}" in message


@pytest.mark.parametrize("name", ["wandb", "tensorboard"])
def test_a_folder_that_cannot_be_written_costs_a_warning(plan, tmp_path, warned, name):
    (tmp_path / "file").touch()
    whole_run(plan(f"logger={name}").config, tmp_path / "file" / "run")
    (message,) = warned()
    assert "Not a directory" in message


def test_settings_are_nested_plain_values_with_the_knobs_on_top(plan):
    config = plan("logger=wandb", "optimizer.lr=0.1").config
    nested = loggers.nested(config)
    assert nested["model"] == "abs_lcn_avgpool"
    assert nested["model_options"] == {"rectify": "abs", "normalise": "lcn", "pool": "average"}
    assert nested["geometry"] == "mnist"
    assert nested["geometry_options"]["stage1"]["kernel"] == 5
    assert nested["data_options"]["classes"] == 4
    assert nested["logger_options"]["mode"] == "offline"
    assert nested["optimizer"]["lr"] == 0.1
    assert nested["refine"] is True
    assert _leaves(nested) == len(config)


def _leaves(value):
    return sum(map(_leaves, value.values())) if isinstance(value, dict) else 1


def test_the_difference_from_the_paper_is_in_points():
    assert SUMMARY.numbers["paper_difference"] == pytest.approx(0.3)


def test_final_metrics_have_names_of_their_own():
    """A learning curve is called train_accuracy too."""
    numbers = replace(SUMMARY, metrics={"train_accuracy": 0.5}, paper=None).numbers
    assert numbers == {"final/train_accuracy": 0.5, "parameters": 123, "seconds": 4.5}


def test_results_are_the_same_with_a_dashboard_that_fails(plan, do, monkeypatch):
    from multistage.train import hardware

    def result(*settings):
        run = plan("trainer.max_epochs=1", *settings)
        hardware.prepare()
        record = do(run)
        return (run.folder / "weights.safetensors").read_bytes(), record["metrics"]

    expected = result("name=a")
    monkeypatch.setattr(loggers.loggers["wandb"], "start", lambda *_: Failing("log"))
    assert result("name=b", "logger=wandb") == expected
