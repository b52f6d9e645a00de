import signal
import sys
from typing import NamedTuple

import pytest

from multistage.cli import workers


class Result(NamedTuple):
    code: int
    output: str
    errors: str


@pytest.fixture
def command(capsys, monkeypatch):
    """Run a command in this process, as its last line does."""
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)

    def run(script, *arguments):
        code = script.main(list(arguments))
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def in_this_process(monkeypatch):
    """Sweeps start no process."""
    monkeypatch.setattr(
        workers, "pool", lambda count, since: lambda todo: [workers.here(since, typed) for typed in todo]
    )
