"""A run folder that lies is asked for again, or published: one line, and no traceback."""

import shutil
import signal

import hostile
import hostile_records
import pytest
from committed import ROOT

from multistage.cli import train
from multistage.records import runs
from multistage.registry.errors import MultistageError
from multistage.settings import naming
from multistage.train import protocol
from scripts import report

LIES = {**hostile.TENSORS, **hostile.FILES, **hostile_records.RECORDS}
WHOLE = {*hostile.TENSORS, *(name for name in hostile.FILES if not name.startswith("record"))}
WHOLE |= {"no checksum of weights", "classes none", "one class more", "one class less in the record"}
"""Lies that a record alone does not show; nobody looks at the weights of a run that is only shown."""

DONE_AGAIN = "the run would be done again"


@pytest.fixture(scope="module")
def trained(train_once):
    return train_once("trainer.max_epochs=1")[0]


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of that run below runs/explorer, whose weights are published, to be changed."""
    target = tmp_path / "runs" / "explorer" / naming.name(trained.config, trained.folder)
    shutil.copytree(trained.folder, target)
    return target


@pytest.fixture
def again(monkeypatch, folder, tmp_path, capsys):
    """Ask for that run again; a run that is not taken for finished is not done."""

    def refuse(*_):
        raise MultistageError(DONE_AGAIN)

    monkeypatch.setattr(protocol, "_perform", refuse)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    words = ["data=fake", "trainer.max_epochs=1", f"output={tmp_path / 'runs'}", "name=explorer"]

    def ask(*more):
        code = train.main([*words, *more])
        return code, *capsys.readouterr()

    return ask


@pytest.fixture
def published(folder, tmp_path, capsys):
    """Publish that run into a repository of its own."""
    (tmp_path / "results").mkdir()
    shutil.copy(ROOT / "results" / "paper.yaml", tmp_path / "results")

    def publish():
        code = report.main([str(tmp_path / "runs" / "explorer")], tmp_path)
        return code, *capsys.readouterr()

    return publish


def test_an_honest_run_is_shown_again(again):
    code, output, errors = again()
    assert (code, errors) == (0, "")
    assert "160 gray in 4 classes" in output


@pytest.mark.parametrize("name", LIES)
def test_a_run_that_lies_is_shown_again_or_done_again_or_named(folder, again, name):
    LIES[name](folder)
    code, _, errors = again()
    if name in WHOLE:
        assert (code, errors) == (0, "")
    elif name in hostile.FILES:
        assert (code, errors) == (1, f"error: {DONE_AGAIN}\n")
    else:
        assert code == 2
        assert errors.startswith((f"error: {folder / runs.RESULT} cannot be read", f"error: {folder} holds another"))
    assert errors.count("\n") == len(errors.splitlines()) <= 1
    assert errors.strip().isprintable()


@pytest.mark.parametrize("name", LIES)
def test_a_run_that_lies_is_not_published(folder, published, name, tmp_path):
    LIES[name](folder)
    code, _, errors = published()
    assert code == 1
    assert errors.startswith("error: ")
    assert errors.count("\n") == len(errors.splitlines()) == 1
    assert errors.strip().isprintable()
    assert not list((tmp_path / "results").rglob("records.jsonl"))
