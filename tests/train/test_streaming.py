"""Images that do not fit in memory: read by other processes while a run trains, and the run is the same."""

import os
import signal

import numpy as np
import pytest
from PIL import Image

from multistage.data import dataset
from multistage.records import runs
from multistage.registry.errors import DataError, MultistageError
from multistage.settings import composition
from multistage.train import batches, protocol, training

AUGMENTED = "augment.mirror=true", "augment.shift=0.1", "augment.mixup=0.2"


@pytest.fixture
def folder(tmp_path):
    """Forty images of two classes."""
    random = np.random.default_rng(0)
    for number in range(40):
        file = tmp_path / "images" / f"class{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        stripes = 60 * np.sin(np.arange(20) / (1 + number % 2))
        Image.fromarray((128 + stripes + random.integers(0, 40, (20, 20))).astype(np.uint8)).save(file)
    return tmp_path / "images"


@pytest.fixture
def plan(folder, tmp_path):
    def make(name, *typed):
        data = ["data=image_folder", f"data.root={folder}", "data.image_size=24", "data.batch_size=8"]
        sizes = ["stages=1", "geometry.stage1.maps=4", "trainer.max_epochs=3", "data.validation=4"]
        return composition.plan([*data, *sizes, f"output={tmp_path / 'runs'}", f"name={name}", *typed])

    return make


@pytest.fixture
def streamed(monkeypatch):
    monkeypatch.setattr(dataset, "IN_MEMORY", 1000)


def weights(run):
    return (run.folder / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("typed", [(), AUGMENTED], ids=["plain", "augmented"])
def test_a_streamed_run_is_the_run_in_memory_and_goes_on_where_it_was_interrupted(plan, do, monkeypatch, typed):
    whole = plan("whole", *typed)
    record = do(whole)
    monkeypatch.setattr(dataset, "IN_MEMORY", 1000)
    streamed = plan("streamed", *typed)
    assert do(streamed)["history"] == record["history"]
    assert weights(streamed) == weights(whole)
    resumed = plan("resumed", *typed)
    add = training.History.add

    def interrupt(history, row, step, **more):
        add(history, row, step, **more)
        if step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(training.History, "add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            do(resumed)
    assert (resumed.folder / runs.CHECKPOINT).exists()
    assert do(resumed)["history"] == record["history"]
    assert weights(resumed) == weights(whole)


def test_an_image_that_changes_while_others_read_is_named_in_one_line(folder, plan, do, streamed, monkeypatch):
    fit = protocol.fit

    def change(*arguments):
        for file in folder.rglob("*.png"):
            file.write_bytes(b"changed")
        return fit(*arguments)

    monkeypatch.setattr(protocol, "fit", change)
    run = plan("changed")
    with pytest.raises(DataError, match=r"^\S+\.png: changed while it was read; run again$"):
        do(run)
    assert "run again" in runs.failure(run.folder)["reason"]


def test_a_process_that_reads_and_is_killed_is_told_of_in_one_line(plan, do, streamed, monkeypatch):
    monkeypatch.setattr(batches.Sent, "__getitems__", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(MultistageError, match=r"a process that reads images was ended.*the same command goes on"):
        do(plan("killed"))


def test_what_arrives_from_other_processes_took_no_shared_memory(plan, do, streamed, monkeypatch):
    from torch.multiprocessing import reductions

    monkeypatch.setattr(reductions, "reduce_storage", lambda storage: 1 / 0)
    do(plan("pipes", "trainer.max_epochs=1"))
