"""The table of predict.py: there as a whole or not at all, harmless to spreadsheets, to a pipe if that is asked for."""

import csv
import errno
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import multistage
from multistage.cli import predict

PRECIOUS = "of last week\n"


@pytest.fixture(scope="module")
def run(train_once):
    return train_once("refine=false", "readout=ridge")[0].folder


@pytest.fixture(autouse=True)
def images(tmp_path, monkeypatch):
    """The current folder, with images of which one is named as a formula is."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 255, (3, 30, 30), dtype=np.uint8)
    for name, image in zip(["=1+1.png", "a.png", "b.png"], pixels, strict=True):
        Image.fromarray(image).save(name)


def table(text):
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return header, [row[0] for row in rows]


def test_a_table_is_written_through_a_link_and_a_formula_is_text(run, capsys):
    Path("table.csv").write_text(PRECIOUS)
    Path("link.csv").symlink_to("table.csv")
    assert predict.main([str(run), "*.png", "--csv", "link.csv"]) == 0
    assert capsys.readouterr() == ("", "3 images in link.csv\n")
    header, files = table(Path("table.csv").read_text(encoding="utf-8"))
    assert header == ["file", "class", *multistage.load(run).class_names]
    assert files == ["'=1+1.png", "a.png", "b.png"]
    assert Path("link.csv").is_symlink()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_leaves_what_was_there(run, monkeypatch, capsys, code):
    Path("table.csv").write_text(PRECIOUS)
    before = sorted(Path().iterdir())
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(code, os.strerror(code))))
    assert predict.main([str(run), "a.png", "--csv", "table.csv"]) == 1
    assert capsys.readouterr() == ("", f"error: table.csv cannot be written: {os.strerror(code)}\n")
    assert Path("table.csv").read_text() == PRECIOUS
    assert sorted(Path().iterdir()) == before


def test_what_breaks_off_leaves_what_was_there(run, capsys):
    Path("table.csv").write_text(PRECIOUS)
    assert predict.main([str(run), "a.png", "none/*.png", "--csv", "table.csv"]) == 3
    assert capsys.readouterr().err == "error: none/*.png holds no images\n"
    assert Path("table.csv").read_text() == PRECIOUS


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("nowhere/table.csv", "{here}/nowhere is not a writable folder"),
        ("a.png/table.csv", "{here}/a.png is not a writable folder"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_where_no_table_can_be_is_said_in_one_line(run, capsys, tmp_path, file, reason):
    assert predict.main([str(run), "a.png", "--csv", file]) == 1
    said = reason.format(here=tmp_path)
    assert capsys.readouterr() == ("", f"error: {file} cannot be written: {said}\n")
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_may_not_be_written_is_named_before_any_image_is_read(run, monkeypatch, capsys, tmp_path, there):
    if there:
        Path("table.csv").write_text(PRECIOUS)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert predict.main([str(run), "missing.png", "--csv", "table.csv"]) == 1
    assert capsys.readouterr().err == f"error: table.csv cannot be written: {tmp_path} is not a writable folder\n"


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_a_table_on_stdout_is_the_same(run, capfdbinary, name):
    assert predict.main([str(run), "*.png", "--csv", "table.csv"]) == 0
    assert predict.main([str(run), "*.png", "--csv", name]) == 0
    shown = capfdbinary.readouterr()
    assert shown.out == Path("table.csv").read_bytes()
    assert shown.err == f"3 images in table.csv\n3 images in {name}\n".encode()


def test_a_full_disk_behind_stdout_is_no_success(run, monkeypatch, capsys):
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        assert predict.main([str(run), "a.png", "--csv", "-"]) == 1
    assert capsys.readouterr().err == "error: - cannot be written: No space left on device\n"


def test_an_image_that_is_named_twice_has_two_rows(run, capsys):
    assert predict.main([str(run), "a.png", "b.png", "a.png", "--csv", "-"]) == 0
    assert table(capsys.readouterr().out)[1] == ["a.png", "b.png", "a.png"]


@pytest.mark.parametrize("name", ["nothing*.png", "empty"])
def test_a_name_that_gives_no_image_is_said_before_any_image_is_read(run, monkeypatch, capsys, name):
    Path("empty").mkdir()
    monkeypatch.setattr("multistage.data.images._pixels", lambda *_: pytest.fail("it was read"))
    assert predict.main([str(run), "a.png", name]) == 3
    assert capsys.readouterr() == ("", f"error: {name} holds no images\n")


def test_an_empty_name_is_not_the_current_folder(run, capsys):
    assert predict.main([str(run), ""]) == 3
    assert capsys.readouterr() == ("", "error: '' is not an image; expected the name of a file or folder\n")


def test_too_little_memory_is_said_in_one_line(run, monkeypatch, capsys):
    def none(*_):
        raise MemoryError

    monkeypatch.setattr("multistage.data.images._pixels", none)
    assert predict.main([str(run), "a.png"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: there is not enough memory")
    assert "data." not in said  # which it does not take


def test_an_interruption_is_no_traceback_and_leaves_what_was_there(run, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    Path("table.csv").write_text(PRECIOUS)
    monkeypatch.setattr("multistage.data.images._pixels", interrupt)
    assert predict.main([str(run), "a.png", "--csv", "table.csv"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
    assert Path("table.csv").read_text() == PRECIOUS


@pytest.mark.parametrize("folder", ["", "."])
def test_a_table_in_place_of_a_folder_is_refused_before_any_image_is_read(run, monkeypatch, capsys, folder):
    monkeypatch.setattr("multistage.data.images._pixels", lambda *_: pytest.fail("it was read"))
    assert predict.main([str(run), "a.png", "--csv", folder]) == 1
    assert capsys.readouterr().err.endswith("cannot be written: it is a folder; expected the name of a file\n")
