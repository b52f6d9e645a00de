"""The commands: most in this process, by their `main`; what only a process can show, in one of its own."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from multistage.cli import many, predict, train
from multistage.records import provenance
from multistage.settings import composition

ROOT = Path(__file__).parents[2]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # waiting threads spin, which starves whatever runs beside them


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One run by the real command in a process of its own, shared by the tests that look at what it left."""
    output = tmp_path_factory.mktemp("trained")
    result = subprocess.run(
        [sys.executable, ROOT / "train.py", "data=fake", "trainer.max_epochs=2", f"output={output}"],
        capture_output=True,
        text=True,
        env={**ONE_THREAD, "PYTHONWARNINGS": "default"},
    )
    return result, output / "adhoc/fake/abs_lcn_avgpool/2/random-refined/softmax/draw-0-seed-0-max_epochs-2"


def test_help_shows_models_and_commands_and_does_not_wait_for_torch():
    result = subprocess.run(
        [sys.executable, "-X", "importtime", ROOT / "train.py", "--help"], capture_output=True, text=True
    )
    assert result.returncode == 0
    for text in ("lcn_maxpool", "caltech101", "python train.py -m", "Exit codes"):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 120
    assert "multistage.settings.config" in imported(result)
    assert not imported(result) & {"torch", "hydra", "pytorch_lightning", "wandb", "numpy"}


@pytest.mark.parametrize("arguments", [["sead=1"], ["-m", "sead=1,2"], ["model=nothing"], ["experiment=nothing"]])
def test_a_wrong_name_is_refused_without_waiting_for_torch(arguments):
    result = subprocess.run(
        [sys.executable, "-X", "importtime", ROOT / "train.py", *arguments], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert not imported(result) & {"torch", "pytorch_lightning", "wandb", "numpy"}


def imported(result):
    """The modules that a process imported, as -X importtime lists them."""
    return {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}


def test_a_run_prints_plain_lines_where_nobody_watches_and_what_to_do_next(trained):
    result, folder = trained
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "epoch 2/2" in result.stdout
    assert f"python predict.py {folder} IMAGE" in result.stdout
    assert (folder / "result.json").exists()


@pytest.mark.parametrize("since", ["", "; the code has changed since"])
def test_a_finished_run_is_shown_not_repeated(trained, command, caplog, monkeypatch, since):
    _, folder = trained
    before = (folder / "result.json").stat().st_mtime_ns
    if since:
        monkeypatch.setattr(provenance, "started", lambda: {"code": "0123456789abcdef"})
    result = command(train, "data=fake", "trainer.max_epochs=2", f"output={folder.parents[6]}")
    assert result.code == 0
    assert f"finished already{since}; overwrite=true trains again" in caplog.text
    assert "test accuracy" in result.output
    assert (folder / "result.json").stat().st_mtime_ns == before


def test_predict_prints_the_most_probable_classes(trained, command, tmp_path):
    _, folder = trained
    image = tmp_path / "some.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8)).save(image)
    result = command(predict, str(folder), str(image), "--top", "3")
    assert result.code == 0, result.errors
    header, *rows = result.output.splitlines()
    assert header == str(image)
    assert len(rows) == 3
    shares = [float(row.split("%")[0]) for row in rows]
    assert shares == sorted(shares, reverse=True)
    for top in ("0", "-1"):
        refused = command(predict, str(folder), str(image), "--top", top)
        assert (refused.code, refused.output) == (2, "")
        assert refused.errors == f"error: --top {top} is not allowed; expected a whole number from 1\n"


def test_predict_refuses_what_is_no_run(command, tmp_path):
    result = command(predict, str(tmp_path), "image.png")
    assert result.code == 1
    assert result.errors.startswith("error: ")
    assert "not a finished run" in result.errors


def test_an_image_that_cannot_be_read_is_named_and_hides_no_other(trained, command, tmp_path):
    _, folder = trained
    (tmp_path / "text.png").write_text("not an image")
    Image.new("L", (9, 9)).save(tmp_path / "good.png")
    result = command(predict, str(folder), *(str(tmp_path / n) for n in ("text.png", "missing.png", "good.png")))
    assert result.code == 3
    assert "text.png" in result.errors
    assert "missing.png" in result.errors
    assert result.errors.count("\n") == 2
    assert result.output.startswith(str(tmp_path / "good.png"))


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["sead=1"], 2, "nearest: seed"),
        (["model=nothing"], 2, "lcn_maxpool"),
        (["geometry.stage1.kernel=99"], 2, "geometry.stage1.kernel=99"),
        (["-m", "seed=0,x"], 2, "seed=x"),
        (["-m", "seed=range(0,10,0)"], 2, "seed=range(0,10,0) cannot be read"),
        (["--config-name=other"], 2, "--config-name"),
        (["-m", "model=glob(zzz*)"], 2, "names no run"),
        (["-m", "seed=0,1", "overwrite=true"], 2, "overwrite=true is for single runs"),
        (["-m", "seed=0,1", "hydra/launcher=nothing"], 2, "hydra/launcher"),
        (["-m", "seed=0,1", "hydra/launcher=joblib", "hydra.launcher.verbose=10"], 2, "verbose=10 has no effect"),
        (
            ["-m", "seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=0"],
            2,
            "n_jobs=0 is not allowed; expected",
        ),
        (["data.root=/my", "photos"], 2, "a path with spaces needs quotes, as in 'data.root=/my photos'"),
        (["learning_rate=0.1"], 2, "type optimizer.lr=0.1"),
        (["--model", "lcn_maxpool"], 2, "type model=lcn_maxpool"),
        (["model", "lcn_maxpool"], 2, "type model=lcn_maxpool"),
        (["model:", "lcn_maxpool"], 2, "type model=lcn_maxpool"),
        (["lcn_maxpool"], 2, "type model=lcn_maxpool"),
        (["--batch-size=3"], 2, "type data.batch_size=3 or psd.batch_size=3"),
        (["wandb=true"], 2, "type logger=wandb"),
        (["lr=0.1"], 2, "type optimizer.lr=0.1"),
        (["optimizer._target_=Adam"], 2, "type optimizer._target_=torch.optim.Adam"),
        (["data=/my/photos"], 2, "type data=image_folder data.root=/my/photos"),
        (["data.root=/my/photos"], 2, "choose data=image_folder"),
        (["hydra.run.dir=/my/runs"], 2, "type output=/my/runs"),
        (["-m", "seed=0,1", "hydra.sweep.dir=/my/runs"], 2, "type output=/my/runs"),
        (["hydra.launcher.n_jobs=2"], 2, "expected -m and hydra/launcher=NAME"),
        (["-m", "seed=0,1", "hydra.launcher.n_jobs=2"], 2, "add hydra/launcher=joblib"),
        (
            ["-m", "seed=0,1", "hydra/launcher=basic", "hydra.launcher.n_jobs=2"],
            2,
            "is not an option of hydra/launcher=basic; it has none",
        ),
        (["data=image_folder", "data.root=~nosuchuser/photos"], 2, "names a home folder that does not exist"),
        (["data.root=/my/a,b é"], 2, "for the shell too"),
        (["--cfg"], 2, "choose from 'job'"),
        (["--cfg", "job", "--info", "all"], 2, "type options of Hydra alone"),
        (["--max-epochs=3"], 2, "type trainer.max_epochs=3"),
        (["--cfg", "job", "sead=1"], 2, "nearest: seed"),
        (["-m", "--cfg", "job", "seed=0,1", "overwrite=true"], 2, "overwrite=true is for single runs"),
        (["--cfg", "job", "data=image_folder", "data.root=/nowhere"], 3, "/nowhere"),
        (["-m", "seed=0,1", "+hydra.launcher.x=1"], 2, "+hydra.launcher.x=1 is not allowed; expected hydra/launcher"),
        (["experiment=nothing"], 2, "experiment=nothing does not exist"),
        (["data=norb"], 3, "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat"),
        (["data=image_folder", "data.root=/nowhere"], 3, "/nowhere"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(command, tmp_path, arguments, code, named):
    result = command(train, *arguments, f"output={tmp_path / 'runs'}")
    assert result.code == code, result.errors
    assert named in result.errors
    assert result.errors.startswith("error: ")
    assert result.errors.count("\n") == 1
    assert result.output == ""
    assert not (tmp_path / "runs").exists()


def test_a_process_that_trains_twice_sees_new_photographs(tmp_path, capsys):
    """As in a notebook: what was listed and seen of a folder is forgotten between two commands."""
    photos, random = tmp_path / "photos", np.random.default_rng(0)
    arguments = [
        f"data.root={photos}",
        "data.image_size=24",
        "stages=1",
        "geometry.stage1.maps=4",
        "trainer.max_epochs=1",
    ]

    def trained(name, number, shape):
        for label in ("ant", "bee"):
            (photos / label).mkdir(parents=True, exist_ok=True)
            for each in range(number):
                image = Image.fromarray(random.integers(0, 255, shape, dtype=np.uint8))
                image.save(photos / label / f"{name}{each}.png")
        assert train.main(["data=image_folder", *arguments, f"output={tmp_path}", f"name={name}"]) == 0
        (result,) = (tmp_path / name).rglob("result.json")
        return json.loads(result.read_text(encoding="utf-8"))["images"]

    first, second = trained("gray", 5, (20, 20)), trained("colour", 6, (20, 20, 3))
    assert (first["images"], first["colour"]) == (10, "gray")
    assert (second["images"], second["colour"]) == (22, "rgb")


def test_signals_mean_the_same_after_a_command_as_before():
    numbers = signal.SIGTERM, signal.SIGHUP
    before = [signal.getsignal(number) for number in numbers]
    for arguments in (["--help"], ["sead=1"]):
        train.main(arguments)
        assert [signal.getsignal(number) for number in numbers] == before


def test_what_hydra_cannot_show_is_one_line(command):
    result = command(train, "data=fake", "--hydra-help")
    assert result.code == 2
    assert (
        result.errors
        == "error: Could not override 'data'. No match in the defaults list; type options of Hydra alone\n"
    )


@pytest.mark.parametrize("count", ["100000", "0", "x"])
def test_more_processes_than_a_machine_runs_are_refused(command, tmp_path, count):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    arguments = ["-m", "seed=0,1", "hydra/launcher=joblib", f"hydra.launcher.n_jobs={count}", f"output={tmp_path}"]
    result = command(train, *arguments)
    assert result.code == 2
    assert result.errors.startswith("error: ")
    assert f"hydra.launcher.n_jobs={count}" in result.errors
    assert result.errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (["--cfg", "job", "model.normalise=groupnorm"], [["model.normalise=groupnorm"]]),
        (["-c", "job", "--resolve", "seed=${draw}", "draw=3"], [["draw=3", "seed=3"]]),
        (["-m", "--cfg=job", "model=avgpool,maxpool"], [["model=avgpool"], ["model=maxpool"]]),
        (["--cfg", "job", "experiment=explorer", "model=avgpool", "draw=7"], None),
    ],
)
def test_what_would_run_is_shown_as_it_would_be_recorded(command, arguments, typed):
    result = command(train, *arguments)
    assert result.code == 0, result.errors
    shown = [*yaml.safe_load_all(result.output)]
    if typed is None:
        typed = many.expanded([word for word in arguments if "=" in word])
    runs = [composition.plan(words) for words in typed]
    assert shown == [run.config for run in runs]
    lines = result.output.splitlines()
    assert [line[2:] for line in lines if line.startswith("# runs/")] == [str(run.folder) for run in runs]
    again = [shlex.split(line)[3:] for line in lines if line.startswith("# python")]
    assert [composition.plan(words).folder for words in again] == [run.folder for run in runs]
    assert "group_norm.groups" in shown[0] or "normalise" not in str(arguments)


def test_a_gpu_that_is_not_there_is_refused(command, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = command(train, "data=fake", "trainer.accelerator=gpu", f"output={tmp_path / 'runs'}")
    assert result.code == 2
    assert "trainer.accelerator=gpu" in result.errors
    assert not (tmp_path / "runs").exists()


DIVERGING = ["schedule=null", "model=avgpool", "filter_bank.squash=none", "data=fake", "trainer.max_epochs=1"]


def test_a_diverged_run_ends_with_one_line_and_code_one(command, tmp_path):
    result = command(train, *DIVERGING, "optimizer.lr=1e9", f"output={tmp_path}")
    assert result.code == 1
    assert result.errors.startswith("error: training diverged in epoch 1")
    assert result.errors.count("\n") == 1


def test_a_multirun_gives_separate_results_and_their_comparison(command, tmp_path):
    arguments = ["-m", "model=lcn_maxpool,abs_lcn_avgpool", "seed=0,1", "data=fake", "trainer.max_epochs=1"]
    result = command(train, *arguments, "logger=wandb", f"output={tmp_path}")
    assert result.code == 0, result.errors
    assert len(list(tmp_path.rglob("result.json"))) == 4
    assert len(list(tmp_path.rglob("*.wandb"))) == 4
    header, *lines = result.output.splitlines()
    assert header == "4 runs, 0 done, 4 to do"
    assert [line.split()[0] for line in lines[:4]] == ["1/4", "2/4", "3/4", "4/4"]
    *rows, images = lines[5:]
    assert images == "fake: 160 gray in 4 classes of 40; 120 train, 40 test; 0 flat"
    assert {tuple(row.split()[:2]) for row in rows} == {
        (f"fake/{model}/2/random-refined/softmax/max_epochs-1", "2") for model in ("lcn_maxpool", "abs_lcn_avgpool")
    }


def test_a_failing_run_does_not_end_a_multirun(command, tmp_path):
    arguments = ["-m", *DIVERGING, "optimizer.lr=1e9,0.01", f"output={tmp_path}"]
    result = command(train, *arguments)
    assert result.code == 4
    assert len(list(tmp_path.rglob("result.json"))) == 1
    assert "1 of the runs failed:" in result.errors
    assert "training diverged in epoch 1" in result.errors
    assert "Traceback" not in result.errors
    again = command(train, *arguments)  # neither the finished nor the failed one is repeated
    assert again.code == 4
    assert again.output.startswith("2 runs, 1 done, 0 to do, 1 failed before (retry_failed=true repeats them)")
    rerun = next(line for line in again.errors.splitlines() if line.startswith("    python train.py"))
    alone = command(train, *shlex.split(rerun)[2:])
    assert alone.code == 1
    assert "training diverged" in alone.errors


@pytest.mark.usefixtures("in_this_process")  # which knows that version
def test_what_an_older_version_left_is_refused_by_a_sweep(command, tmp_path, monkeypatch):
    arguments = ["-m", "data=fake", "refine=false", "readout=lbfgs", "seed=0", f"output={tmp_path}"]
    assert command(train, *arguments).code == 0
    monkeypatch.setattr("multistage.records.runs.RESULTS_VERSION", 999)
    result = command(train, *arguments)
    assert result.code == 2
    assert "results_version was 1, is 999" in result.errors
    assert command(train, *arguments, "overwrite=changed").code == 0
    assert "1 done" in command(train, *arguments).output


def test_an_interrupted_run_says_so_and_leaves_no_record(tmp_path):
    arguments = [sys.executable, ROOT / "train.py", "data=fake", "trainer.max_epochs=100000", f"output={tmp_path}"]
    running = {
        code: (sent, subprocess.Popen([*arguments, f"seed={code}"], stdout=-1, stderr=-1, text=True, env=ONE_THREAD))
        for sent, code in ((signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143))
    }
    for code, (sent, process) in running.items():
        while "epoch 1/" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(sent)
        started = time.monotonic()
        _, errors = process.communicate(timeout=300)
        assert time.monotonic() - started < 10
        assert process.returncode == code
        assert "interrupted; repeat the command to resume after the last finished epoch" in errors
        assert "Traceback" not in errors
    assert not list(tmp_path.rglob("result.json"))
