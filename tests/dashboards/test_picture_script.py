import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dashboards.example import whole_run
from PIL import Image

ROOT = Path(__file__).parents[2]


def draw(*words):
    command = [sys.executable, ROOT / "scripts" / "dashboard_picture.py", *words]
    environment = {"PYTHONPATH": f"{ROOT}/src", "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(words[-1])}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_folder_without_an_offline_run_is_named(tmp_path):
    done = draw(tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path}: expected one wandb/offline-run-*, found 0" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")
def test_both_pictures_are_drawn_and_the_run_stays_as_it_is(plan, tmp_path):
    whole_run(plan("logger=wandb").config, tmp_path / "run")
    before = sorted((tmp_path / "run").rglob("*"))
    done = draw(tmp_path / "run", tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "run").rglob("*")) == before
    for name in ("curves", "filters"):
        with Image.open(tmp_path / f"wandb_{name}.png") as drawn, Image.open(ROOT / f"docs/wandb_{name}.png") as shown:
            assert drawn.height == shown.height


def test_pictures_of_the_documentation_are_small():
    sizes = [file.stat().st_size for file in (ROOT / "docs").glob("wandb_*.png")]
    assert len(sizes) == 2
    assert max(sizes) < 300_000
