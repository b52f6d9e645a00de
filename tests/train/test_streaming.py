"""Images that do not fit in memory: read by other processes while a run trains, and the run is the same."""

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.utils.class_weight import compute_class_weight

from multistage.data import dataset, drawn
from multistage.readout import readouts
from multistage.records import runs
from multistage.registry.errors import ConfigError, DataError, MultistageError
from multistage.settings import composition
from multistage.train import batches, hardware, protocol, training

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
        sizes = ["stages=1", "geometry.stage1.maps=4", "data.validation=4"]
        sizes += [] if "refine=false" in typed else ["trainer.max_epochs=2"]
        return composition.plan([*data, *sizes, f"output={tmp_path / 'runs'}", f"name={name}", *typed])

    return make


@pytest.fixture
def streamed(monkeypatch):
    monkeypatch.setattr(dataset, "IN_MEMORY", 1000)


def weights(run):
    return (run.folder / "weights.safetensors").read_bytes()


def test_a_streamed_run_is_the_run_in_memory_and_goes_on_where_it_was_interrupted(plan, do, monkeypatch):
    whole = plan("whole", *AUGMENTED)
    record = do(whole)
    monkeypatch.setattr(dataset, "IN_MEMORY", 1000)
    streamed = plan("streamed", *AUGMENTED)
    assert do(streamed)["history"] == record["history"]
    assert weights(streamed) == weights(whole)
    resumed = plan("resumed", *AUGMENTED)
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
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.5)  # seconds, of 5
    monkeypatch.setattr(batches.Sent, "__getitems__", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(MultistageError, match=r"a process that reads images was killed.*repeat the command"):
        do(plan("killed"))


def test_what_arrives_from_other_processes_took_no_shared_memory(plan, do, streamed, monkeypatch):
    from torch.multiprocessing import reductions

    monkeypatch.setattr(reductions, "reduce_storage", lambda storage: 1 / 0)
    do(plan("pipes", "trainer.max_epochs=1"))


@pytest.mark.parametrize("readout", ["softmax", "sgd", "lbfgs", "ridge", "kernel"])
def test_frozen_features_that_do_not_fit_are_refused_with_numbers_before_any_is_computed(
    plan, do, looked, monkeypatch, readout
):
    monkeypatch.setattr(hardware, "free_memory", lambda: 100)
    with pytest.raises(
        MultistageError, match=rf"features of 40 images, .* readout={readout} take 0.0 GB .* are free; "
    ):
        do(plan("frozen", "refine=false", f"readout={readout}"))
    assert looked == []


def on_a_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("take", [lambda: torch.empty(10**15), lambda: np.empty(10**15), on_a_gpu])
def test_an_allocator_s_refusal_is_one_line(take, plan, do, monkeypatch):
    monkeypatch.setattr(protocol, "train", lambda *_: take())
    run = plan("large")
    with pytest.raises(MultistageError, match=r"^there is not enough memory .*; choose a smaller data\.batch_size"):
        do(run)
    assert "not enough memory" in runs.failure(run.folder)["reason"]


def test_images_that_fit_in_memory_are_not_copied(plan):
    run = plan("shared")
    images, split = drawn(run.settings.data, run.settings.draw)
    picked = images.inputs(split.train)
    assert isinstance(picked, dataset.Picked)
    assert picked.in_memory


def test_classes_that_are_balanced_count_alike(plan, do, folder):
    for file in sorted((folder / "class1").iterdir())[8:]:
        file.unlink()
    small = do(plan("balanced", "softmax.class_weights=balanced"))
    plain = do(plan("plain"))
    assert small["config"]["softmax.class_weights"] == "balanced"
    assert small["metrics"] != plain["metrics"] or small["weights_sha256"] != plain["weights_sha256"]
    labels = torch.tensor([0] * 30 + [1] * 10)
    readout = readouts["softmax"](class_weights="balanced")
    weights = readout.weights(labels, 2)
    assert weights.tolist() == pytest.approx(compute_class_weight("balanced", classes=np.arange(2), y=labels.numpy()))
    scores = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    learner = training.Classifier(torch.nn.Identity(), 2, {"seed": 0}, readout, weights)
    learner.log = lambda *_, **__: None
    each = torch.nn.functional.cross_entropy(scores, labels, reduction="none")
    expected = (each[labels == 0].mean() + each[labels == 1].mean()) / 2
    assert learner.training_step((scores, labels, 1.0), 0).item() == pytest.approx(expected.item())
    with pytest.raises(ConfigError, match=r"softmax\.class_weights=balanced has no effect with .*readout=ridge"):
        plan("ridge", "refine=false", "readout=ridge", "softmax.class_weights=balanced")
