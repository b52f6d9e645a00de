"""A trained run from its folder, which may come from anywhere, to what it says of images of any kind."""

import csv
import os
import re
import shutil
import signal
from pathlib import Path

import hostile
import hostile_records
import numpy as np
import pytest
import torch
from PIL import Image

import multistage
from multistage.cli import predict
from multistage.records.runs import RESULT, WEIGHTS
from multistage.registry.errors import DataError, MultistageError


@pytest.fixture(scope="module")
def trained(train_once):
    run, record = train_once("trainer.max_epochs=1")
    return run.folder, record


@pytest.fixture(scope="module")
def train_once_kernel(train_once):
    return train_once("refine=false", "readout=kernel")[0].folder


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of that run, to be changed."""
    (tmp_path / "run").mkdir()
    for name in (RESULT, WEIGHTS):
        shutil.copy(trained[0] / name, tmp_path / "run" / name)
    return tmp_path / "run"


@pytest.fixture
def within_bounds():
    """Half a minute and less than 2 GB; a pipe that is waited for ends here."""

    def kilobytes(field):
        return int(re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())[1])

    def late(*_):
        pytest.fail("it hangs")  # no OSError, which the code under test would take for one of its own

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    start = kilobytes("VmRSS")
    yield
    grown = kilobytes("VmHWM") - start
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert grown < 1.5e6


LIES = {**hostile.TENSORS, **hostile.FILES, **hostile_records.RECORDS}


@pytest.mark.parametrize("name", LIES)
@pytest.mark.usefixtures("within_bounds")
def test_a_folder_that_lies_is_refused_in_one_line(folder, image, name, capsys):
    LIES[name](folder)
    with pytest.raises(MultistageError) as refusal:
        multistage.load(folder)
    message = str(refusal.value)
    assert message.isprintable()
    assert str(folder) in message
    assert len(message) < 600 + len(str(folder))
    assert predict.main([str(folder), str(image)]) in (1, 2)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"error: {message}\n")
    assert not Path("/tmp/hostile-was-here").exists()


@pytest.mark.parametrize("name", hostile_records.SWAPPED)
def test_weights_tell_other_settings_though_the_record_does_not(folder, name):
    hostile_records.SWAPPED[name](folder)
    hostile.without_field("settings_sha256")(folder)
    with pytest.raises(MultistageError, match="it was trained with other settings than its record has"):
        multistage.load(folder)


def test_a_folder_from_before_either_told_is_loaded(folder, trained, image):
    expected = multistage.load(trained[0]).predict(image).scores
    hostile.without_field("settings_sha256")(folder)
    hostile.with_tensors(dict)(folder)  # written again, without what stood beside them
    assert torch.equal(multistage.load(folder).predict(image).scores, expected)


RESIZED = {
    "coefficients missing": hostile.with_tensors(lambda t: t.pop("classifier.coefficients") is None),
    "coefficients more": hostile.with_tensors(lambda t: t.update({"classifier.more": t["classifier.samples"]})),
    "samples narrow": hostile.with_tensor("classifier.samples", lambda v: v[:, :-1]),
    "samples fewer": hostile.with_tensor("classifier.samples", lambda v: v[:-1]),
    "samples whole": hostile.with_tensor("classifier.samples", lambda v: v.astype(np.int64)),
    "one class less": hostile.with_tensor("classifier.coefficients", lambda v: v[:, :-1]),
    "intercept infinite": hostile.filled("classifier.intercepts", 0, np.inf),
    "readout": hostile.with_config(readout="ridge"),
}


@pytest.mark.parametrize("name", RESIZED)
def test_a_classifier_whose_size_comes_from_training_is_tried(train_once_kernel, tmp_path, name):
    folder = tmp_path / "run"
    folder.mkdir()
    for file in (RESULT, WEIGHTS):
        shutil.copy(train_once_kernel / file, folder / file)
    assert len(multistage.load(folder).class_names) > 1
    RESIZED[name](folder)
    with pytest.raises(MultistageError, match=str(folder)):
        multistage.load(folder)


def test_a_link_to_the_very_weights_is_as_good_as_they_are(folder, trained, image):
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(trained[0] / WEIGHTS)
    assert torch.equal(multistage.load(folder).predict(image).scores, multistage.load(trained[0]).predict(image).scores)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()])
@pytest.mark.usefixtures("within_bounds")
def test_an_image_that_is_none_is_named_and_hides_no_other(trained, image, tmp_path, make, capsys):
    make(tmp_path / "other.png")
    expected = 3
    assert predict.main([str(trained[0]), str(tmp_path / "other.png"), str(image)]) == expected
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {tmp_path / 'other.png'} ")
    assert shown.err.count("\n") == 1


def test_scores_that_are_no_numbers_are_not_shown(trained, image):
    model = multistage.load(trained[0])
    model.classifier.weight.data.fill_(3e38)
    with pytest.raises(MultistageError, match="not finite numbers"):
        model.predict(image)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of images in colour, one below it, beside what is none."""
    root = tmp_path_factory.mktemp("photographs")
    (root / "below").mkdir()
    random = np.random.default_rng(1)
    for name, size in {"a.png": (50, 40), "b.bmp": (28, 28), "below/c.png": (31, 77)}.items():
        Image.fromarray(random.integers(0, 255, (*size, 3), dtype=np.uint8)).save(root / name)
    (root / "notes.txt").write_text("none")
    os.mkfifo(root / "pipe.png")
    return root


@pytest.mark.parametrize("overrides", [(), ("data.maps=3",), ("refine=false", "readout=ridge")])
def test_every_way_to_give_images_says_the_same_to_the_last_digit(photographs, train_once, tmp_path, overrides):
    """Paths, texts, bytes, Pillow's images, arrays, a folder, and the table of predict.py."""
    run, record = train_once("trainer.max_epochs=1" if "readout=ridge" not in overrides else "stages=2", *overrides)
    model = multistage.load(run.folder)
    paths = [photographs / name for name in ("a.png", "b.bmp", "below/c.png")]
    expected = model.predict(paths)
    pictures = [Image.open(path) for path in paths]
    ways = {
        "texts": list(map(str, paths)),
        "bytes": [path.read_bytes() for path in paths],
        "Pillow": pictures,
        "arrays": [np.asarray(picture) for picture in pictures],
        "with opacity": [np.asarray(picture.convert("RGBA")) for picture in pictures],
        "folder": photographs,
        "folder as text": str(photographs),
        "generator": (path for path in paths),
    }
    for way, given in ways.items():
        assert torch.equal(model.predict(given).scores, expected.scores), way
    one_by_one = torch.cat([model.predict(path).scores for path in paths])
    assert torch.allclose(one_by_one, expected.scores, atol=1e-5)
    assert expected.class_names == tuple(entry["name"] for entry in record["per_class"])

    table = tmp_path / "found.csv"
    assert predict.main([str(run.folder), str(photographs), "--csv", str(table)]) == 0
    with table.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "class", *expected.class_names]
    assert [row[:2] for row in rows] == [[str(p), label] for p, label in zip(paths, expected.labels, strict=True)]
    values = expected.probabilities if expected.logistic else expected.scores
    assert [list(map(float, row[2:])) for row in rows] == values.tolist()


def test_preparing_is_that_of_the_run(photographs, trained):
    model = multistage.load(trained[0])
    prepared = model.prepare(photographs / "a.png")
    data = model.settings.data
    assert prepared.shape == (data.maps, data.image_size, data.image_size)
    assert torch.equal(prepared, data.prepare(np.asarray(Image.open(photographs / "a.png"))))


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2, 2)), np.zeros((4, 4, 4)), np.zeros((1, 2, 3, 4))])
def test_an_array_that_is_no_image_is_refused(trained, array):
    with pytest.raises(DataError, match="is not an image; expected"):
        multistage.load(trained[0]).predict(array)


def test_nothing_to_classify_is_said(trained, tmp_path):
    for nothing in ([], tmp_path):
        with pytest.raises(DataError, match="no image"):
            multistage.load(trained[0]).predict(nothing)


def test_a_file_of_the_run_stands_for_its_folder(trained):
    assert multistage.load(trained[0] / WEIGHTS).class_names == multistage.load(trained[0]).class_names


def test_a_network_in_training_mode_predicts_as_ever_and_learns_nothing(trained, image):
    model = multistage.load(trained[0])
    expected = model.predict(image).scores
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert torch.equal(model.train().predict(image).scores, expected)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_network_of_another_precision_predicts(trained, image):
    model = multistage.load(trained[0])
    usual = model.predict(image)
    assert model.double().predict(image).probabilities.allclose(usual.probabilities.double(), atol=1e-5)


@pytest.mark.parametrize("given", [torch.zeros(4, 4, 3), [torch.zeros(4, 4)], [[0.0, 1.0]], None, 3, [None]], ids=str)
def test_what_is_of_no_kind_of_image_is_refused(trained, given):
    with pytest.raises(
        DataError, match="is not an image; expected a file, its content, Pillow's image or a NumPy array"
    ):
        multistage.load(trained[0]).predict(given)


def test_a_masked_array_is_its_pixels(trained):
    pixels = np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8)
    model = multistage.load(trained[0])
    assert torch.equal(model.predict(np.ma.masked_greater(pixels, 9)).scores, model.predict(pixels).scores)


def test_folders_behind_links_and_files_without_an_end_of_name_count(trained, photographs, tmp_path, capsys):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/linked").symlink_to(photographs)
    shutil.copy(photographs / "a.png", tmp_path / "here/noend")
    (tmp_path / "here/README").write_text("none")
    assert len(multistage.load(trained[0]).predict(tmp_path / "here").labels) == 4
    assert predict.main([str(trained[0]), str(tmp_path / "here"), "--csv", "-"]) == 0
    assert capsys.readouterr().out.count("\n") == 5


def test_a_folder_below_that_cannot_be_read_is_named(trained, photographs, monkeypatch):
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("below"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="below cannot be read: Permission denied"):
        multistage.load(trained[0]).predict(photographs)


def test_the_home_folder_may_be_a_tilde(folder, image, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(image.parent))
    model = multistage.load("~/run")
    assert model.predict("~/image.png").labels == model.predict(image).labels
    for name in ("~/image.png", "~/im*.png"):
        assert predict.main(["~/run", name]) == 0
        assert capsys.readouterr().err == ""
