import signal
import sys
from typing import NamedTuple

import pytest

from multistage.cli import same_images, workers


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


@pytest.fixture
def planned(plan):
    """Four runs: two draws with each of two models."""
    return [
        plan(f"draw={draw}", "seed=${draw}", f"model={model}") for model in ("avgpool", "maxpool") for draw in (0, 1)
    ]


@pytest.fixture
def trusted_images(monkeypatch):
    """Finished runs saw the images that are there."""
    monkeypatch.setattr(same_images, "other_images", lambda finished: ([], {}))
