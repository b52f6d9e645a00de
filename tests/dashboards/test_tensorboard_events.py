import pytest
from dashboards.example import SUMMARY, random_states, whole_run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

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
    assert {"filters_before", "filters_after", "confusion"} <= set(tags["images"])
    texts = {tag: events[1].Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in tags["tensors"]}
    assert "model: abs_lcn_avgpool" in texts["config/text_summary"]
    assert "| ant | 3 | 3 |" in texts["per_class/text_summary"]
    assert f"paper: {SUMMARY.paper}" in texts["summary/text_summary"]


def test_what_an_earlier_attempt_left_is_gone(events):
    assert len(list(events[0].rglob("events.out.tfevents.*"))) == 1
