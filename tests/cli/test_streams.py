"""What is printed: any encoding, and readers that go away. The commands are real processes, the pipes real pipes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAIN = [sys.executable, str(ROOT / "train.py")]
RUN = [*TRAIN, "data=fake", "refine=false", "readout=ridge"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

ENDINGS = {
    "pipe": "| head -c1",
    "disk": "> /dev/full",
    "nowhere": ">&-",
    "nothing": ">&- 2>&-",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_whose_output_cannot_be_written_is_finished_all_the_same(tmp_path, ending):
    script = f'{{ "$@"; echo $? >"{tmp_path}/code"; }} {ENDINGS[ending]}'
    sweep = ["-m", "seed=0,1"] if ending == "pipe" else []
    command = ["bash", "-c", script, "-", *RUN, *sweep, f"output={tmp_path / 'runs'}"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert (tmp_path / "code").read_text() == "0\n", done.stderr
    assert "rror" not in done.stderr
    assert len(list(tmp_path.rglob("result.json"))) == (2 if sweep else 1)
    assert not list(tmp_path.rglob("failure.json"))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_name_that_an_encoding_lacks_is_escaped(tmp_path, encoding):
    command = [*RUN, f"output={tmp_path}/\u017elu\u0165"]
    done = subprocess.run(command, capture_output=True, env={**ENVIRONMENT, "PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    assert b"lu\\u0165/adhoc" in done.stdout


def test_help_may_be_cut_off():
    script = '"$@" --help | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(["bash", "-c", script, "-", *TRAIN], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Train a multi-stage network")
