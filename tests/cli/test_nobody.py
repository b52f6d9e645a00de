"""A user whom the system does not know: no $HOME, no entry in passwd, as in many containers."""

import os
import pwd
import subprocess
import sys

import pytest
from committed import ROOT

from multistage.cli import predict, train


@pytest.fixture
def nobody(command, monkeypatch):
    for name in ("HOME", "USER", "LOGNAME", "USERNAME", "LNAME", "XDG_CACHE_HOME", "MULTISTAGE_CACHE"):
        monkeypatch.delenv(name, raising=False)

    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    return command


def test_a_run_that_keeps_nothing_is_done(nobody, tmp_path):
    result = nobody(train, "data=fake", "trainer.max_epochs=1", f"output={tmp_path}")
    assert result.code == 0, result.errors
    (run,) = (path.parent for path in tmp_path.rglob("result.json"))
    assert nobody(predict, str(run), str(next(run.glob("*.png")))).code == 0


REFUSED = {
    "caches": (["data=fake", "refine=false", "readout=ridge"], "set MULTISTAGE_CACHE=FOLDER"),
    "output": (["data=fake", "output=~/runs"], "output=~/runs names a home folder that does not exist"),
    "root": (["data=mnist", "data.root=~/data"], "data.root=~/data names a home folder that does not exist"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_needs_a_home_says_so_in_one_line(nobody, tmp_path, kind):
    typed, said = REFUSED[kind]
    result = nobody(train, f"output={tmp_path}", *typed)
    assert result.code == 2
    assert result.errors.startswith("error: ")
    assert said in result.errors
    assert result.errors.count("\n") == 1


def test_a_pipe_in_place_of_an_image_is_not_waited_for(train_once, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    run = train_once("trainer.max_epochs=1")[0].folder
    command = [sys.executable, str(ROOT / "predict.py"), str(run), str(tmp_path / "pipe.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert done.stderr == f"error: {tmp_path}/pipe.png cannot be read as an image: it is not a regular file\n"
