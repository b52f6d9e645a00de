"""A shortened form of scripts/endurance.py: real processes, really killed."""

import os
import subprocess
import sys

import pytest
from committed import ROOT

from scripts import endurance


@pytest.mark.slow
def test_killed_sweeps_lose_repeat_and_change_nothing(tmp_path):
    counts = ["--random", "3", "--aimed", "2", "--resumed", "3", "--processes", "2"]
    command = [sys.executable, str(ROOT / "scripts" / "endurance.py"), *counts]
    result = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    )
    assert result.returncode == 0, result.stderr
    for promise in ("to the bit", "no run twice", "kills at random", "kills aimed"):
        assert promise in result.stdout
    assert not list(tmp_path.iterdir())


def test_a_sweep_that_repeats_a_finished_run_is_noticed(tmp_path):
    """The checker can fail: here finished runs are forgotten."""
    record = tmp_path / endurance.NAME / "fake" / endurance.runs.RESULT
    record.parent.mkdir(parents=True)
    record.write_text("old")

    def attempt():
        record.write_text("new")
        return 0

    with pytest.raises(endurance.BrokenError, match="not repeated"):
        endurance.until_done(tmp_path, attempt, {})
