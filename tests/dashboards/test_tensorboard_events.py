import io
import os
import time
from dataclasses import replace

import numpy as np
import pytest
from dashboards.example import SUMMARY, random_states, whole_run
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from multistage import dashboards
from multistage.settings import composition


@pytest.fixture(scope="module")
def events(tmp_path_factory):

    folder = tmp_path_factory.mktemp("tensorboard")
    config = composition.plan(("data=fake", "logger=tensorboard")).config
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events.out.tfevents.old").touch()
    before = random_states()
    whole_run(config, folder)
    assert random_states() == before
    read = EventAccumulator(str(folder / "tensorboard"))
    read.Reload()
    return folder, read


def test_rows_are_there(events):
    assert [(e.step, e.value) for e in events[1].Scalars("train_loss")] == [(1, 1.0), (2, 0.5)]


def test_pictures_and_texts_are_there(events):
    tags = events[1].Tags()
    assert {"filters/before", "filters/after", "classes/confusion"} <= set(tags["images"])
    texts = {tag: events[1].Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in tags["tensors"]}
    assert "model: abs_lcn_avgpool" in texts["config/text_summary"]
    assert "| ant | 3 | 3 |" in texts["classes/accuracy/text_summary"]
    assert f"paper: {SUMMARY.paper}" in texts["summary/text_summary"]


def test_what_an_earlier_attempt_left_is_gone(events):
    assert len(list(events[0].rglob("events.out.tfevents.*"))) == 1


def test_filters_over_three_maps_are_in_colour(plan, tmp_path):
    red = np.tile(np.array([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1), (4, 1, 5, 5))
    whole_run(plan("logger=tensorboard").config, tmp_path, replace(SUMMARY, kernels_after=red))
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    picture = Image.open(io.BytesIO(read.Images("filters/after")[0].encoded_image_string))
    assert (picture.mode, picture.getpixel((0, 0))) == ("RGB", (255, 0, 0))


@pytest.mark.parametrize("reading", [False, True])
def test_a_file_system_that_hangs_does_not_hold_the_run(plan, tmp_path, monkeypatch, warned, reading):
    """The file of events is a FIFO that nobody opens, or that somebody opens and does not read."""
    monkeypatch.setattr(dashboards, "PATIENCE", 1.5)
    monkeypatch.setattr(dashboards, "GRACE", 0.1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK) if reading else None
    monkeypatch.setattr(event_file_writer.tf.io.gfile, "GFile", lambda *_: fifo.open("wb"))
    began = time.monotonic()
    whole_run(plan("logger=tensorboard").config, tmp_path / "run", replace(SUMMARY, per_class=SUMMARY.per_class * 9999))
    assert time.monotonic() - began < 4
    (message,) = warned()
    assert "logger=tensorboard did not answer" in message
    end = os.open(fifo, os.O_RDONLY) if reader is None else reader
    os.set_blocking(end, True)
    while os.read(end, 1 << 20):  # whoever hangs ends
        pass
    os.close(end)
