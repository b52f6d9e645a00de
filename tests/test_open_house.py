"""A new idea is one file: each kind is added to a fresh copy of the code, and real runs train with it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEW = Path(__file__).parent / "open_house"
"""Laid over a copy of the code: one file for each new idea."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy")
    for name in ("src/multistage", "conf"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", root)
    for file in (path for path in NEW.rglob("*") if path.suffix in (".py", ".yaml")):
        shutil.copy(file, root / file.relative_to(NEW))  # also over a file that a reader made from README
    return root


@pytest.fixture(scope="module")
def python(copy):
    """Run Python in that copy."""
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    environment["MULTISTAGE_CACHE"] = str(copy / "cache")
    return lambda *words: subprocess.run(
        [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True
    )


IDEAS = ("data=stripes", "model=softplus_scaled_l3pool")


FROZEN = (*IDEAS, "refine=false", "readout=centroid", "centroid.shrink=0.5", "filters=constant")
REFUSED = {
    "centroid.shrink=0.5": "centroid.shrink=0.5 has no effect",
    "scaled.factor=-1": "scaled.factor=-1 is not allowed; expected a number from 0",
    "readout=centriod": "nearest: centroid",
    "model.pool=l4": "expected one of average, max, max_overlap, average_tiled, l2, l3",
}


TRAIN = "import sys; from multistage.cli.train import main; print([main(typed.split()) for typed in sys.argv[1:]])"
"""One process for all that is typed, which imports once."""


def test_new_ideas_train_from_one_file_each(copy, python):
    """A normalisation, a rectification, a pooling and a preset; then a readout and filters; all on a new data set."""
    result = python("-c", TRAIN, " ".join(IDEAS), " ".join(FROZEN))
    assert result.stdout.endswith("[0, 0]\n"), result.stderr
    records = [json.loads(file.read_text()) for file in (copy / "runs").rglob("result.json")]
    records = {record["config"]["readout"]: record for record in records}
    assert records["softmax"]["metrics"]["test_accuracy"] > 0.9
    assert records["centroid"]["config"]["scaled.factor"] == 2.0
    assert records["centroid"]["run"].endswith("constant/centroid/draw-0-seed-0-shrink-0.5")


def test_what_is_said_of_settings_follows_from_the_file(python):
    result = python("-c", TRAIN, *(" ".join([*IDEAS, typed]) for typed in REFUSED))
    assert result.stdout == f"{[2] * len(REFUSED)}\n"
    for says, said in zip(REFUSED.values(), result.stderr.splitlines(), strict=True):
        assert says in said


PLAN = "from multistage.settings import composition as c, experiments as e; c.plan_all(e.experiment('softplus', []))"


def test_an_experiment_is_planned_from_its_file(python):
    assert python("-c", PLAN).returncode == 0


def test_help_lists_new_files(python):
    result = python("train.py", "--help")
    assert "softplus_scaled_l3pool" in result.stdout
    assert "stripes" in result.stdout
