"""The real commands, in processes of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent


def command(script, *arguments, **kwargs):
    environment = {**os.environ, "PYTHONWARNINGS": "default", "OMP_NUM_THREADS": "1"}
    environment |= {"HOME": "/nonexistent", "WANDB_API_KEY": ""}
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments], capture_output=True, text=True, env=environment, **kwargs
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One run through the command line, shared by the tests that look at what it left."""
    output = tmp_path_factory.mktemp("trained")
    result = command("train.py", "data=fake", "trainer.max_epochs=2", f"output={output}")
    return result, output / "adhoc/fake/abs_lcn_avgpool/2/random-refined/softmax/draw-0-seed-0-max_epochs-2"


def test_help_shows_models_and_commands_and_does_not_wait_for_torch():
    result = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "train.py"), "--help"], capture_output=True, text=True
    )
    assert result.returncode == 0
    for text in ("lcn_maxpool", "caltech101", "python train.py -m", "Exit codes"):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 120
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "multistage.config" in imported
    assert not imported & {"torch", "hydra", "pytorch_lightning", "wandb", "numpy"}


def test_a_run_prints_plain_lines_where_nobody_watches_and_what_to_do_next(trained):
    result, folder = trained
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "epoch 2/2" in result.stdout
    assert f"python predict.py {folder} IMAGE" in result.stdout
    assert (folder / "result.json").exists()


def test_a_finished_run_is_shown_not_repeated(trained):
    _, folder = trained
    before = (folder / "result.json").stat().st_mtime_ns
    output = folder.parents[6]
    result = command("train.py", "data=fake", "trainer.max_epochs=2", f"output={output}")
    assert result.returncode == 0
    assert "finished already" in result.stderr
    assert (folder / "result.json").stat().st_mtime_ns == before


def test_predict_prints_the_most_probable_classes(trained, tmp_path):
    _, folder = trained
    image = tmp_path / "some.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8)).save(image)
    result = command("predict.py", str(folder), str(image), "--top", "3")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert header == str(image)
    assert len(rows) == 3
    shares = [float(row.split("%")[0]) for row in rows]
    assert shares == sorted(shares, reverse=True)


def test_predict_refuses_what_is_no_run_and_what_is_no_image(trained, tmp_path):
    _, folder = trained
    text = tmp_path / "text.png"
    text.write_text("not an image")
    for arguments, code, named in (
        ((str(tmp_path), str(text)), 1, "not a finished run"),
        ((str(folder), str(text)), 3, "text.png"),
        ((str(folder), str(tmp_path / "missing.png")), 3, "missing.png"),
    ):
        result = command("predict.py", *arguments)
        assert result.returncode == code
        assert result.stderr.startswith("error: ")
        assert named in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["sead=1"], 2, "nearest: seed"),
        (["model=nothing"], 2, "lcn_maxpool"),
        (["geometry.stage1.kernel=99"], 2, "geometry.stage1.kernel=99"),
        (["-m", "seed=0,x"], 2, "seed=x"),
        (["--config-name=other"], 2, "--config-name"),
        (["logger=wandb", "logger.mode=online"], 2, "wandb login"),
        (["data=norb"], 3, "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat"),
        (["data=image_folder", "data.root=/nowhere"], 3, "/nowhere"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(tmp_path, arguments, code, named):
    result = command("train.py", *arguments, f"output={tmp_path / 'runs'}")
    assert result.returncode == code, result.stderr
    assert named in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout.count("\n") <= 1
    assert not (tmp_path / "runs").exists()


def test_a_diverged_run_ends_with_one_line_and_code_one(tmp_path):
    arguments = ["optimizer.lr=1e9", "schedule=null", "model=avgpool", "filter_bank.squash=none"]
    result = command("train.py", "data=fake", *arguments, f"output={tmp_path}")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: training diverged in epoch 1")
    assert "Traceback" not in result.stderr


def test_a_multirun_gives_separate_results_and_their_comparison(tmp_path):
    arguments = ["-m", "model=lcn_maxpool,abs_lcn_avgpool", "seed=0,1", "data=fake", "trainer.max_epochs=1"]
    result = command("train.py", *arguments, "logger=wandb", f"output={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.rglob("result.json"))) == 4
    assert len(list(tmp_path.rglob("*.wandb"))) == 4
    table = result.stdout.splitlines()[-5:]
    assert table[0].split()[:2] == ["seed", "model"]
    assert {tuple(row.split()[:2]) for row in table[1:]} == {
        (seed, model) for seed in "01" for model in ("lcn_maxpool", "abs_lcn_avgpool")
    }


def test_a_failing_run_does_not_end_a_multirun(tmp_path):
    arguments = ["-m", "optimizer.lr=1e9,0.01", "schedule=null", "model=avgpool", "filter_bank.squash=none"]
    result = command("train.py", *arguments, "data=fake", "trainer.max_epochs=1", f"output={tmp_path}")
    assert result.returncode == 4
    assert len(list(tmp_path.rglob("result.json"))) == 1
    assert "failed: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_and_leaves_no_record(tmp_path, sent, code):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), "data=fake", "trainer.max_epochs=100000", f"output={tmp_path}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "epoch 1/" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.rglob("result.json"))
