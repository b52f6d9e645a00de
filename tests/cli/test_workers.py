"""Processes that do runs are really killed, and really outlived by nothing."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from multistage.cli import workers
from multistage.records import beginnings, runs

ROOT = Path(__file__).parents[2]
KILLED = "its process was killed, as the system does when memory runs out (SIGKILL)"
ACTING = """
import os, signal, sys, time
from multistage.cli import workers

def here(since, typed):
    act = dict(word.split("=") for word in typed)["seed"]
    if act == "9":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "8":
        os.kill(os.getpid(), signal.SIGUSR1)
    if act == "4":
        os.kill(os.getpid(), signal.SIGHUP)
    if act == "7":
        print("a library says something")
        raise SystemExit(3)
    if act == "6":
        time.sleep(1000)
    return "it broke" if act == "5" else None

workers.here = here
workers.main()
"""


@pytest.fixture
def act(plan, monkeypatch):
    """Have runs done by workers that act by the seed instead of training."""
    monkeypatch.setattr(workers, "COMMAND", [sys.executable, "-c", ACTING])
    folders = plan("seed=0").folder.parent

    def do(count, *seeds):
        typed = [["data=fake", f"output={folders.parents[5]}", f"seed={seed}"] for seed in seeds]
        found = workers.pool(count, 0)(typed)
        return found, {seed: runs.failure(plan(f"seed={seed}").folder) for seed in seeds}

    return do


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_whose_process_is_killed_is_the_one_that_fails(act, count):
    outcomes, notes = act(count, 0, 1, 9, 2, 5, 3)
    assert outcomes == [None, None, KILLED, None, "it broke", None]
    assert notes.pop(9)["reason"] == KILLED
    assert set(notes.values()) == {None}


def test_a_process_that_somebody_ends_fails_no_run(act):
    outcomes, notes = act(1, 8, 7, 4, 0)
    assert outcomes == ["its process ended (SIGUSR1)", "its process ended (exit code 3)", None, None]
    assert set(notes.values()) == {None}


def test_workers_share_the_cores(monkeypatch):
    for name in workers.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("joblib.cpu_count", lambda: 12)
    assert "OMP_NUM_THREADS" not in workers._environment(1)
    assert workers._environment(4)["OMP_NUM_THREADS"] == "3"
    assert workers._environment(40)["MKL_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert workers._environment(4)["OMP_NUM_THREADS"] == "7"


def alive(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children(pid):
    with suppress(OSError):
        lists = [(task / "children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for of_thread in lists for child in of_thread]
    return []


def holder(sweep, seed):
    """The worker of a sweep that does the run of a seed, once it has begun; None if the sweep has ended."""
    while sweep.poll() is None:
        for pid in children(sweep.pid):
            with suppress(OSError):
                files = [file.readlink() for file in Path(f"/proc/{pid}/fd").iterdir()]
                if any(f"seed-{seed}" in file.parent.name and file.name == runs.LOCK for file in files):
                    return pid
        time.sleep(0.005)
    return None


def sweep(output, *words, **options):
    command = [sys.executable, ROOT / "train.py", "-m", "data=fake", "model=lcn_maxpool", *words, f"output={output}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment, **options)


ENGINES = {1: [], 2: ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]}
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.slow
@pytest.mark.parametrize("count", ENGINES)
def test_a_sweep_of_six_of_which_one_is_killed_ends_with_five_results(tmp_path, count):
    words = ["seed=0,1,2,3,4,5", "trainer.max_epochs=9", *ENGINES[count]]
    process = sweep(tmp_path, *words)
    os.kill(holder(process, 2), signal.SIGKILL)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 4, errors
    assert len(list(tmp_path.rglob("result.json"))) == 5
    assert "5/6" in output
    assert "1 of the runs failed:" in errors
    assert f"seed-2-max_epochs-9: {KILLED}" in errors
    assert "Traceback" not in errors
    again = sweep(tmp_path, *words)
    output, errors = again.communicate(timeout=300)
    assert again.returncode == 4
    assert output.startswith("6 runs, 5 done, 0 to do, 1 failed before")


@linux
@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_no_process_outlives_its_sweep(tmp_path, sent, code):
    with sweep(tmp_path, "seed=0,1,2", "trainer.max_epochs=100000", *ENGINES[2], start_new_session=True) as process:
        held = [holder(process, 0), holder(process, 1)]
        time.sleep(1)
        if sent in (signal.SIGINT, signal.SIGHUP):
            os.killpg(process.pid, sent)  # as a terminal does
        else:
            process.send_signal(sent)
        begun = time.monotonic()
        assert process.wait(timeout=10) == code
        while any(alive(pid) for pid in held):
            assert time.monotonic() - begun < 10
            time.sleep(0.05)
        assert "Traceback" not in process.stderr.read()
        assert not list(tmp_path.rglob("failure.json"))
        if sent != signal.SIGKILL:  # nobody is to blame
            assert not list(tmp_path.rglob(beginnings.FILE))


@linux
def test_a_worker_whose_sweep_is_killed_ends_in_the_middle_of_a_run():
    """The sweep holds the other end of its pipe, and nothing else is needed for the worker to know."""
    with subprocess.Popen([sys.executable, "-c", ACTING], stdin=-1, stdout=-1, text=True) as worker:
        print('[0, ["seed=0"]]', file=worker.stdin, flush=True)
        assert worker.stdout.readline() == "null\n"
        print('[0, ["seed=6"]]', file=worker.stdin, flush=True)
        worker.stdin.close()
        worker.wait(timeout=workers.PATIENCE + 5)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL"])
def test_a_run_whose_process_crashes_has_failed(plan, tmp_path, name):
    typed = ["data=fake", f"output={tmp_path / 'runs'}"]
    assert workers._death(-signal.Signals[name], typed) == f"its process crashed ({name})"
    assert runs.failure(plan().folder)["reason"] == f"its process crashed ({name})"


@pytest.mark.parametrize(("code", "said"), [(1, "exit code 1"), (-signal.SIGTERM, "SIGTERM"), (-40, "signal 40")])
def test_a_worker_that_ends_by_itself_says_how(code, said):
    assert workers._death(code, []) == f"its process ended ({said})"
