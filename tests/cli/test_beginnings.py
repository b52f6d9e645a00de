"""A run that takes its whole sweep with it, again and again, is named in the end; processes are really killed."""

import os
import signal
import subprocess
import sys

import pytest

from multistage.cli import sweep
from multistage.records import beginnings, runs
from multistage.registry.errors import MultistageError
from multistage.train import checkpoint, protocol

IDENTITY = runs.identity("split", "data")
SAYS = "was started 3 times and did not end; killed each time, as the system does when memory runs out"


def killed(run, times):
    """Leave a folder as processes do that begin a run and are killed."""
    for _ in range(times):
        with runs.claimed(run.folder):
            checkpoint.begin(run.folder, run.config, IDENTITY)
        beginnings.keep()


def launcher(done):
    def launch(todo):
        done.extend(run.config["seed"] for run in todo)
        return ["it was looked at" for _ in todo]

    return launch


@pytest.fixture
def planned(plan):
    return [plan(f"seed={seed}", "trainer.max_epochs=1") for seed in (0, 1, 2)]


def test_a_run_that_was_begun_thrice_is_named_and_the_others_are_done(planned, capsys):
    killed(planned[1], 2)
    assert sweep.sweep(planned, launcher(done := []), "python train.py -m") == 4
    assert done == [0, 2, 1]
    killed(planned[1], 1)
    for _ in range(2):
        assert sweep.sweep(planned, launcher(done := []), "python train.py -m") == 4
        assert done == [0, 2]
        shown = capsys.readouterr()
        assert "3 runs, 0 done, 2 to do, 1 failed before (retry_failed=true repeats them)" in shown.out
        assert f"1 of the runs failed:\n  {planned[1].folder}: {SAYS}\n    python train.py " in shown.err
        assert "to repeat all of them: python train.py -m retry_failed=true\n" in shown.err
    assert sweep.sweep(planned, launcher(done := []), "python train.py -m", retry_failed=True) == 4
    assert done == [0, 2, 1]


def test_one_that_is_tried_again_in_vain_is_named_at_once(planned, capsys):
    killed(planned[1], 4)
    assert sweep.sweep(planned, launcher([]), "again") == 4
    assert "was started 4 times and did not end" in capsys.readouterr().err


def test_one_that_is_being_done_for_the_third_time_is_waited_for(planned, capsys):
    killed(planned[1], 3)
    with runs.claimed(planned[1].folder):
        assert sweep.sweep(planned, launcher(done := []), "again") == 4
    assert done == [0, 2, 1]
    assert runs.failure(planned[1].folder) is None


def test_a_run_that_got_further_is_counted_anew(planned):
    run, written = planned[0], planned[0].folder / runs.CHECKPOINT
    for epoch, expected in ((0, 1), (0, 2), (1, 1), (1, 2), (2, 1)):
        if epoch:
            state = {checkpoint.ORIGIN: {"config": dict(run.config), **IDENTITY}, "epoch": epoch}
            if not written.exists() or checkpoint.read(written)["epoch"] < epoch:
                checkpoint.SealedFiles().save_checkpoint(state, written)
        killed(run, 1)
        assert beginnings.count(run.folder) == expected


@pytest.mark.parametrize("content", ["", "many 0", "3", "1 2 3", "9" * 5000, "\0"])
def test_a_count_that_cannot_be_read_is_none(tmp_path, content):
    (tmp_path / beginnings.FILE).write_text(content)
    assert beginnings.count(tmp_path) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError, MultistageError, None])
def test_a_run_that_ends_is_not_counted(planned, monkeypatch, error):
    counted = []

    def perform(run, *_):
        counted.append(beginnings.count(run.folder))
        raise error("stop") if error else AssertionError

    monkeypatch.setattr(protocol, "_perform", perform)
    for _ in range(2):
        with pytest.raises(error or AssertionError):
            protocol.run(planned[0], "none")
    assert counted == [1, 1]
    assert not (planned[0].folder / beginnings.FILE).exists()


# Real processes

WORKER = """
import os, signal, time
from multistage.cli import workers
from multistage.train import protocol

really, act = protocol._perform, os.environ.get("ACT")

def perform(run, *others):
    if act and run.config["seed"] == 1:
        who, sent = act.split()
        os.kill(-os.getpgid(0) if who == "all" else os.getppid(), int(sent))
        end = time.monotonic() + 60
        while time.monotonic() < end:  # deep in a library, which hears of nothing
            try:
                time.sleep(1)
            except KeyboardInterrupt:
                pass
    return really(run, *others)

protocol._perform = perform
workers.main()
"""
SWEEP = """
import sys
from multistage.cli import train, workers
workers.COMMAND = [sys.executable, "-c", sys.argv.pop(1)]
sys.exit(train.main())
"""


def swept(output, act, *words):
    """Exit code and errors of a sweep whose second run does that to the sweep, or to all of its processes."""
    words = ["-m", "data=fake", "model=lcn_maxpool", "trainer.max_epochs=1", "seed=0,1,2", f"output={output}", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACT": act, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SWEEP, WORKER, *words]
    result = subprocess.run(
        command, capture_output=True, text=True, env=environment, start_new_session=True, timeout=120
    )
    return result.returncode, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("who", ["all", "sweep"])
def test_a_sweep_that_is_killed_thrice_in_one_run_goes_on_with_the_others(tmp_path, who):
    act = f"{who} {int(signal.SIGKILL)}"
    for times in (1, 2, 3):
        assert swept(tmp_path, act)[0] == -signal.SIGKILL
        (counted,) = tmp_path.rglob(beginnings.FILE)
        assert beginnings.count(counted.parent) == times
    code, errors = swept(tmp_path, act)
    assert code == 4
    assert f"seed-1-max_epochs-1: {SAYS}\n" in errors
    assert len(list(tmp_path.rglob(runs.RESULT))) == 2
    assert swept(tmp_path, "", "retry_failed=true")[0] == 0
    assert len(list(tmp_path.rglob(runs.RESULT))) == 3
    assert not list(tmp_path.rglob(beginnings.FILE))


@pytest.mark.slow
@pytest.mark.parametrize(("who", "sent", "code"), [("sweep", signal.SIGTERM, 143), ("all", signal.SIGINT, 130)])
def test_a_sweep_that_a_person_ends_counts_against_no_run(tmp_path, who, sent, code):
    for _ in range(2):
        assert swept(tmp_path, f"{who} {int(sent)}")[0] == code
        assert not list(tmp_path.rglob(beginnings.FILE))
