"""Sweeps on engines that Hydra launches: workers on this machine, jobs of a cluster (which submitit runs locally)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SWEEP = ["-m", "data=fake", "model=lcn_maxpool", "seed=0,1,2", "trainer.max_epochs=1"]
ENGINES = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"],
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_does_a_sweep_and_its_failures_are_seen(tmp_path, engine):
    pytest.importorskip("hydra_plugins.hydra_" + engine + "_launcher")
    failing = [*SWEEP, "model=avgpool", "schedule=null", "filter_bank.squash=none", "optimizer.lr=0.01,1e9"]
    arguments = [word for word in failing if word != "model=lcn_maxpool"]
    command = [sys.executable, ROOT / "train.py", *arguments, *ENGINES[engine], f"output={tmp_path}"]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert result.returncode == 4, result.stderr
    assert len(list(tmp_path.rglob("result.json"))) == 3
    assert "6 runs, 0 done, 6 to do" in result.stdout
    assert "3/6" in result.stdout
    assert result.stderr.count("training diverged in epoch 1") == 3
    assert "retry_failed=true" in result.stderr
