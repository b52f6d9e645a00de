"""What is printed: any encoding, and readers that go away. The commands are real processes, the pipes real pipes."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from multistage.cli import train

ROOT = Path(__file__).parents[2]
TRAIN = [sys.executable, str(ROOT / "train.py")]
RUN = ["data=fake", "refine=false", "readout=ridge"]
ENDINGS = ["pipe", "disk", "nowhere", "nothing"]

EACH_ENDING = """
import os
import sys

from multistage.cli import train

folder, endings, *run = sys.argv[1:]
train.main([*run, f"output={folder}/before"])  # imports once for all what takes nearly all of a command's time
for ending in endings.split():
    read, write = os.pipe()
    if child := os.fork():
        os.close(write)
        os.read(read, 1)
        os.close(read)  # nobody reads any more
        with open(f"{folder}/{ending}.code", "w") as file:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=file)
        continue
    os.dup2(os.open(f"{folder}/{ending}.errors", os.O_WRONLY | os.O_CREAT), 2)
    os.dup2(write if ending == "pipe" else os.open("/dev/full", os.O_WRONLY), 1)
    os.close(read)
    os.close(write)
    if ending in ("nowhere", "nothing"):
        os.close(1)
        sys.stdout = None  # as Python begins where it is closed
    if ending == "nothing":
        os.close(2)
        sys.stderr = None
    sweep = ["-m", "seed=0,1"] if ending == "pipe" else []
    sys.exit(train.main([*run, *sweep, f"output={folder}/{ending}"]))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A folder with what a run left at each ending of its output, its exit code and what it wrote to stderr."""
    folder = tmp_path_factory.mktemp("ended")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MULTISTAGE_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", EACH_ENDING, str(folder), " ".join(ENDINGS), *RUN]
    subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=environment)
    return folder


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_whose_output_cannot_be_written_is_finished_all_the_same(ended, ending):
    errors = (ended / f"{ending}.errors").read_text()
    assert (ended / f"{ending}.code").read_text() == "0\n", errors
    assert "rror" not in errors
    assert len(list((ended / ending).rglob("result.json"))) == (2 if ending == "pipe" else 1)
    assert not list((ended / ending).rglob("failure.json"))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_name_that_an_encoding_lacks_is_escaped(tmp_path, monkeypatch, encoding):
    written = io.BytesIO()
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    assert train.main([*RUN, f"output={tmp_path}/\u017elu\u0165"]) == 0
    assert b"lu\\u0165/adhoc" in written.getvalue()


def test_help_may_be_cut_off():
    script = '"$@" --help | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(["bash", "-c", script, "-", *TRAIN], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Train and test a multi-stage network")
