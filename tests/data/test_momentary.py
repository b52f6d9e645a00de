"""What hinders the reading of an image for a moment is not remembered; what is wrong with its content is."""

import errno

import pytest
import torch
from data.sets import PICTURES

from multistage.data import files, images
from multistage.data.images import read_image
from multistage.data.preprocessing import prepare
from multistage.storage import durable

NAME = "bee/1.png"


@pytest.fixture(params=["in memory", "streamed"])
def folder(request, made, monkeypatch):
    if request.param == "streamed":
        monkeypatch.setattr("multistage.data.dataset.IN_MEMORY", 0)
    return made("image_folder").folder


@pytest.fixture(params=[False, True], ids=["refused", "left out"])
def skip(request):
    return {"skip_damaged": request.param}


def assert_whole(dataset, folder, number=5):
    """Nothing is left out, and an image is what its file holds."""
    assert dataset.skipped == ()
    assert set(dataset.names) >= set(PICTURES)
    image = dataset.pixels(torch.tensor([number]))[0]
    assert torch.equal(image, prepare(read_image(folder / dataset.names[number]), 24))


def test_an_image_above_a_limit_is_read_once_the_limit_is_raised(folder, skip, load, write_image, refused):
    large = write_image(folder / "bee/3.png", (60, 60))
    for _ in range(2):
        if skip["skip_damaged"]:
            assert load("image_folder", max_pixels=3599, **skip).skipped == ("bee/3.png",)
        else:
            with refused(large, "60x60 pixels, more than data.max_pixels=3599"):
                load("image_folder", max_pixels=3599)
    for _ in range(2):
        assert_whole(load("image_folder", max_pixels=3600, **skip), folder, 7)


def test_a_file_that_changed_meanwhile_is_read_when_it_is_as_it_was(folder, skip, load, refused, monkeypatch):
    before, hashed = (folder / NAME).read_bytes(), files.Files.hashed

    def then_changed(self, indices):
        digests = hashed(self, indices)
        (folder / NAME).write_bytes(b"hello")
        return digests

    with monkeypatch.context() as patch:
        patch.setattr(files.Files, "hashed", then_changed)
        with refused(folder / NAME, "changed while it was read; run again"):
            load("image_folder", **skip)
    (folder / NAME).write_bytes(before)
    assert_whole(load("image_folder", **skip), folder)


@pytest.mark.parametrize("failing", [1, 2], ids=["first reading", "second reading"])
def test_a_disk_that_fails_once_is_read_the_next_time(folder, skip, load, refused, monkeypatch, failing):
    openings, opened = [], durable.opened

    def opening(path):
        openings.extend([path] * (path == folder / NAME))
        if path == folder / NAME and len(openings) == failing:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return opened(path)

    monkeypatch.setattr(durable, "opened", opening)
    with refused(folder / NAME, "Input/output error"):
        load("image_folder", **skip)
    assert_whole(load("image_folder", **skip), folder)


def test_memory_that_is_short_once_is_no_damage(folder, skip, load, refused, monkeypatch):
    def short(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(images, "_pixels", short)
        with refused(folder / "ant/0.jpg", "not enough memory; run again"):
            load("image_folder", **skip)
    assert_whole(load("image_folder", **skip), folder)


def test_of_a_folder_with_a_damaged_file_that_one_is_tried_again_and_no_other(folder, load, monkeypatch):
    (folder / NAME).write_bytes(b"hello")
    first = load("image_folder", skip_damaged=True)
    tried, each = [], files.Files._each
    monkeypatch.setattr(
        files.Files,
        "_each",
        lambda self, indices, count=False: tried.extend(indices.tolist()) or each(self, indices, count),
    )
    second = load("image_folder", skip_damaged=True)
    assert first.skipped == second.skipped == (NAME,)
    assert tried == [5]


def test_pillow_that_reads_more_than_before_is_believed(folder, load, monkeypatch, refused):
    """As one that learned a format, or whose decoder failed for a moment."""
    with monkeypatch.context() as patch:
        patch.setattr(images, "FORMATS", ("BMP",))
        with refused(folder / "ant/0.jpg", "cannot be read as an image; expected"):
            load("image_folder")
    assert_whole(load("image_folder"), folder)
