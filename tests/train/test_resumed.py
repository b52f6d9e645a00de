"""Runs that are asked for again: finished, in a folder that may not be written; unfinished, on another machine."""

import errno
import os
from pathlib import Path

import pytest

from multistage.cli import terminal
from multistage.records import provenance, runs
from multistage.train import hardware


def test_a_finished_run_in_a_folder_that_may_not_be_written_shows_what_it_found(plan, do, monkeypatch):
    run = plan("model=lcn_maxpool", "trainer.max_epochs=1")
    record = do(run)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)  # root may write anywhere
    for change in ("unlink", "mkdir", "replace"):
        monkeypatch.setattr(Path, change, refuse)
    assert do(run) == record


@pytest.fixture
def interrupted(plan, interrupt):
    """A run that was interrupted after its last epoch."""
    run = plan("model=lcn_maxpool", "trainer.max_epochs=2")
    interrupt(run)
    return run


def test_a_run_that_goes_on_as_it_began_says_nothing(interrupted, do):
    record = do(interrupted)
    assert record["history"]["epoch"] == [1, 2]
    assert not {"resumed", "stretches", "code_at_end"} & set(record)


def test_a_run_that_goes_on_with_other_code_threads_or_torch_says_so(interrupted, do, monkeypatch):
    before, code = hardware.describe(), provenance.started()
    after = {**before, "threads": 7, "versions": {**before["versions"], "torch": "99.0"}}
    monkeypatch.setattr(hardware, "describe", lambda: after)
    monkeypatch.setattr(provenance, "started", lambda: {**code, "code": "0123456789abcdef"})
    record = do(interrupted)
    torch = before["versions"]["torch"]
    assert record["resumed"] == [
        {"code": code["code"], "threads": before["threads"], "versions": {"torch": torch}, "epochs": 2}
    ]
    assert (record["threads"], record["versions"]["torch"]) == (7, "99.0")
    assert runs.read(interrupted.folder) == record
    (said,) = (line for line in terminal.summary(record, interrupted.folder).splitlines() if "resumed" in line)
    assert said.startswith("resumed        after 2 epochs: code was ")
    assert said.endswith(f", torch was {torch}, is 99.0, threads was {before['threads']}, is 7")
