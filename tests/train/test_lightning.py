"""What Lightning's Trainer does by its own arguments."""

import os
import subprocess
import sys
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from multistage.operations import rectifications
from multistage.records import runs
from multistage.registry.errors import ConfigError
from multistage.train import batches, parallel

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed", "bf16-true"])
def test_the_record_says_in_which_numbers_a_run_was_trained(plan, do, precision):
    run = plan("model=avgpool", "trainer.max_epochs=1", f"trainer.precision={precision}")
    assert do(run)["precision"] == precision
    assert {value.dtype for value in load_file(run.folder / runs.WEIGHTS).values()} <= {torch.float32, torch.int64}


def test_fewer_batches_fewer_steps(train):
    _, history = train("model=avgpool", "trainer.max_epochs=2", "trainer.limit_train_batches=2")
    assert history.columns()["epoch"] == [1, 2]


def test_overfitting_takes_the_same_images_of_all_classes_in_each_epoch(train, monkeypatch):
    seen, take = [], batches.Shares.take

    def watched(self, chosen):
        seen.append(chosen.tolist())
        return take(self, chosen)

    monkeypatch.setattr(batches.Shares, "take", watched)
    _, history = train("model=avgpool", "trainer.max_epochs=2", "trainer.overfit_batches=1")
    assert len(history.rows) == 2
    assert len(seen) == 2
    assert seen[0] == seen[1] != sorted(seen[0])


class Noisy(nn.Module):
    """An operation that draws random numbers in training."""

    def forward(self, x):
        return x.abs() * torch.rand_like(x) if self.training else x.abs()


def test_an_operation_with_random_numbers_trains_the_same_again_and_after_an_interruption(
    plan, do, interrupt, monkeypatch
):
    monkeypatch.setattr(type(rectifications["abs"]()), "build", lambda self, channels: Noisy())
    whole, again, resumed = (
        plan(f"name={name}", "model=abs_avgpool", "trainer.max_epochs=3") for name in ("whole", "again", "resumed")
    )
    expected = do(whole)
    torch.manual_seed(99)
    assert do(again)["weights_sha256"] == expected["weights_sha256"]
    interrupt(resumed, after=1)
    assert (resumed.folder / runs.CHECKPOINT).exists()
    assert do(resumed)["weights_sha256"] == expected["weights_sha256"]


def test_a_process_that_does_not_start_leaves_no_other(monkeypatch):
    """It would wait for ever for the others, and Python at its exit for it."""
    started, start = [], SpawnProcess.start

    def only_one(process):
        if started:
            raise BlockingIOError("Resource temporarily unavailable")
        start(process)
        started.append(process)

    monkeypatch.setattr(SpawnProcess, "start", only_one)
    with pytest.raises(BlockingIOError), parallel.together(3, time.sleep, 60):
        pass
    try:
        assert [process.is_alive() for process in started] == [False]
    finally:
        started[0].kill()


def test_what_a_run_switches_on_for_the_process_is_off_after_it(train):
    for switch in ("deterministic", "benchmark"):
        train("model=avgpool", "trainer.max_epochs=1", f"trainer.{switch}=true")
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark


def test_a_callback_logs_into_the_rows(train):
    _, history = train("model=avgpool", "trainer.max_epochs=2", "callbacks=lr_monitor", "schedule=null")
    assert history.columns()["lr-SGD"] == pytest.approx([0.05, 0.05])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("+schedule.total_steps=3", "^schedule.total_steps=3 is below the 8 steps of this training; leave it out$"),
        (
            "+schedule.max_lr=[0.1] +param_groups.head.params=[classifier] +param_groups.head.weight_decay=0.1",
            "^torch refuses these settings of optimizer and schedule: max_lr must have the same length",
        ),
    ],
)
def test_what_torch_refuses_once_steps_and_groups_are_known_is_one_line(train, typed, said):
    with pytest.raises(ConfigError, match=said):
        train("model=avgpool", "trainer.max_epochs=2", *typed.split())


def test_a_run_that_a_callback_stopped_is_not_gone_on_with(plan, do, interrupt):
    """Interrupted between the checkpoint in which it stopped and its record."""
    stops = ["callbacks=early_stopping", "callbacks.early_stopping.patience=1", "+callbacks.early_stopping.min_delta=1"]
    run = plan("model=avgpool", "data.validation=5", "trainer.max_epochs=9", *stops)
    expected = do(plan(*run.overrides, "name=whole"))
    interrupt(run)
    again = do(run)
    assert again["history"] == expected["history"]
    assert again["history"]["epoch"] == [1, 2]
    assert again["weights_sha256"] == expected["weights_sha256"]


REGULARISED = ["softmax.dropout=0.5", "softmax.label_smoothing=0.1", "optimizer.weight_decay=0.1", "callbacks=ema"]


@pytest.mark.parametrize("more", [[], [*REGULARISED, "param_groups=no_decay"]], ids=["plain", "regularised"])
def test_two_devices_give_what_one_gives_but_for_rounding(plan, do, tmp_path, more):
    """Two processes on the CPU by the real command. The last of seventeen batches of seven is one image: one device has
    nothing to do."""
    typed = ["trainer.max_epochs=2", "trainer.precision=64-true", "data.batch_size=7", "data.validation=5"]
    typed += ["optimizer.lr=0.001", "trainer.accelerator=cpu", *more]
    one = do(alone := plan(*typed, "trainer.devices=1"))
    command = [sys.executable, str(ROOT / "train.py"), "data=fake", *typed, "trainer.devices=2", f"output={tmp_path}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([*command, "name=both"], capture_output=True, text=True, env=environment, timeout=300)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("epoch 2/2") == 1
    both = next((tmp_path / "both").rglob("result.json")).parent
    assert not list(both.glob("*.ckpt"))
    two = runs.read(both)
    assert two["config"]["data.batch_size"] == 7
    assert two["history"]["train_loss"] == pytest.approx(one["history"]["train_loss"], rel=1e-9)
    assert two["history"]["validation_accuracy"] == one["history"]["validation_accuracy"]
    weights, same = (load_file(folder / runs.WEIGHTS) for folder in (alone.folder, both))
    for name, value in weights.items():
        torch.testing.assert_close(same[name], value, rtol=1e-5, atol=1e-6)
