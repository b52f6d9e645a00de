"""What a sweep shows and decides, with runs that take no time."""

import errno
import os
from pathlib import Path

import pytest
from cli.sweeps import finish, launcher

from multistage.cli import sweep
from multistage.records import provenance, runs
from multistage.registry.errors import ConfigError, MultistageError
from multistage.train import checkpoint, protocol

pytestmark = pytest.mark.usefixtures("trusted_images")


def test_only_what_is_left_is_done_and_all_of_it_shown(planned, capsys):
    finish(planned[1], 0.7)
    done = []
    assert sweep.sweep(planned, launcher(done), "python train.py -m") == 0
    assert done == ["avgpool0", "maxpool0", "maxpool1"]
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "4 runs, 1 done, 3 to do, about 3 min one after the other"
    assert [line.split()[0] for line in lines[:3]] == ["2/4", "3/4", "4/4"]
    assert "(mean of 2: 60.00 +-127.06, 95 % interval)" in lines[0]
    assert lines[3].split()[:2] == ["run", "n"]
    assert len(lines) == 6
    assert sweep.sweep(planned, launcher(done), "python train.py -m") == 0
    assert len(done) == 3


def test_runs_since_which_the_code_has_changed_are_counted_in_one_line(planned, capsys, monkeypatch):
    for run in planned[:2]:
        finish(run)
    started = provenance.started()
    monkeypatch.setattr(provenance, "started", lambda: {**started, "code": "other"})
    for _ in range(2):  # some are left to do, none is
        assert sweep.sweep(planned, launcher([]), "again") == 0
        said = [line for line in capsys.readouterr().out.splitlines() if "code" in line]
        assert said == ["the code has changed since 2 of the runs were done; overwrite=true trains a single one again"]


def test_failures_are_listed_with_commands_after_the_table_of_the_others(planned, capsys):
    done = []
    assert sweep.sweep(planned, launcher(done, failing=planned[:1]), "python train.py -m x=1,2") == 4
    shown = capsys.readouterr()
    assert "maxpool" in shown.out.splitlines()[-1]
    assert (
        f"1 of the runs failed:\n  {planned[0].folder}: it broke\n    python train.py data=fake model=avgpool"
        in shown.err
    )
    assert shown.err.endswith("to repeat all of them: python train.py -m x=1,2 retry_failed=true\n")


@pytest.mark.parametrize(
    ("left", "said", "lines"),
    [({"parameters": "many"}, "parameters=many is not allowed", 4), (None, " and 3 others: it ended without a", 1)],
)
def test_a_run_that_leaves_no_record_to_be_read_is_not_done_for_ever(planned, capsys, left, said, lines):
    done = []

    def launch(todo):
        done.extend(todo)
        for run in todo if left else []:
            finish(run, **left)
        return [None for _ in todo]

    assert sweep.sweep(planned, launch, "again") == 4
    assert len(done) == 4
    errors = capsys.readouterr().err
    assert errors.startswith("4 of the runs could not be finished")
    assert errors.count(said) == lines


def test_failed_runs_wait_until_they_are_asked_for(planned, capsys):
    run = planned[0]
    identity = runs.identity("split0", "data")
    with runs.claimed(run.folder):
        checkpoint.begin(run.folder, run.config, identity)
        runs.fail(run.folder, run.config, identity, MultistageError("too hot"))
    done = []
    assert sweep.sweep(planned, launcher(done), "again") == 4
    assert "avgpool0" not in done
    assert "too hot" in capsys.readouterr().err
    assert sweep.sweep(planned, launcher(done), "again", retry_failed=True) == 0
    assert done.count("avgpool0") == 1


def test_a_failure_of_another_version_is_none(planned, monkeypatch):
    run = planned[0]
    with runs.claimed(run.folder):
        runs.fail(run.folder, run.config, runs.identity("split0", "data"), MultistageError("too hot"))
    monkeypatch.setattr(runs, "RESULTS_VERSION", 999)
    done = []
    assert sweep.sweep(planned, launcher(done), "again") == 0
    assert len(done) == 4


def test_records_of_another_version_are_refused_before_anything_is_done(planned, monkeypatch):
    finish(planned[3])
    monkeypatch.setattr(runs, "RESULTS_VERSION", 999)
    done = []
    with pytest.raises(ConfigError, match="results_version was 1, is 999"):
        sweep.sweep(planned, launcher(done), "again")
    assert done == []


def test_a_damaged_record_is_named_and_its_run_done_again(planned, caplog):
    for run in planned:
        finish(run)
    record = planned[2].folder / runs.RESULT
    record.write_bytes(record.read_bytes().replace(b"0.5", b"0.9"))
    done = []
    assert sweep.sweep(planned, launcher(done), "again") == 0
    assert done == ["maxpool0"]
    assert "result.json is damaged" in caplog.text
    assert runs.read(planned[2].folder)["metrics"]["test_accuracy"] == 0.5


def test_runs_of_another_process_are_waited_for_and_taken_over_if_it_dies(planned, capsys, monkeypatch):
    done = []
    first = launcher(done)

    def launch(todo):
        if not done:  # another process has the last run, and dies while this one waits
            assert first(todo[:-1]) == [None] * 3
            return [None, None, None, sweep.BUSY]
        return first(todo)

    assert sweep.sweep(planned, launch, "again") == 0
    assert done == ["avgpool0", "avgpool1", "maxpool0", "maxpool1"]
    assert "waiting for 1 of the runs, which other processes are doing" in capsys.readouterr().out


def test_whatever_happens_in_a_run_is_one_line(planned, capsys):
    def broken(run):
        raise ZeroDivisionError("division\nby zero")

    def refused(run):
        raise MultistageError("no data")

    assert sweep.do(planned[0], broken) == "ZeroDivisionError: division by zero"
    assert "Traceback" in capsys.readouterr().err
    assert sweep.do(planned[0], refused) == "no data"
    assert sweep.do(planned[0], lambda run: None) is None
    with runs.claimed(planned[0].folder):
        assert sweep.do(planned[0], broken) == sweep.BUSY


def test_an_engine_that_breaks_fails_no_run(planned, capsys):
    def launch(todo):
        finish(todo[0])
        raise RuntimeError("worker lost")

    assert sweep.sweep(planned, launch, "again") == 4
    shown = capsys.readouterr()
    assert shown.err.count(" and 2 others: the launcher failed: RuntimeError: worker lost") == 1
    assert shown.err.startswith("3 of the runs could not be finished; repeat the command to resume them:\n")
    assert "1/4" in shown.out


def test_what_has_failed_in_another_process_since_is_not_repeated(planned):
    run = planned[0]
    with runs.claimed(run.folder):
        runs.fail(run.folder, run.config, runs.identity("split0", "data"), MultistageError("too hot"))
    now = runs.failure(run.folder)["time"]
    assert sweep.do(run, lambda run: None, since=now - 1) == "too hot"
    assert sweep.do(run, lambda run: None, since=now + 1) is None


def test_what_an_engine_that_breaks_still_does_is_waited_for(planned, capsys):
    first = launcher(done := [])

    def launch(todo):
        if done:
            return first(todo)
        with runs.claimed(todo[1].folder):
            first(todo[:1])
            busy = sweep._without_engine(todo[1], "it broke")
        assert (busy, sweep._without_engine(todo[0], "it broke")) == (sweep.BUSY, None)
        return [None, busy, "it broke", "it broke"]

    assert sweep.sweep(planned, launch, "again") == 4
    assert done == ["avgpool0", "avgpool1"]
    assert "2 of the runs could not be finished" in capsys.readouterr().err


def test_a_run_that_was_begun_and_did_not_end_holds_up_no_other(planned):
    """A container that is killed for the memory of one run leaves no note, and the same command is typed again."""
    with runs.claimed(planned[1].folder):
        checkpoint.begin(planned[1].folder, planned[1].config, runs.identity("split1", "data"))
    done = []
    assert sweep.sweep(planned, launcher(done), "again") == 0
    assert done == ["avgpool0", "maxpool0", "maxpool1", "avgpool1"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EPIPE])
def test_a_full_disk_or_a_closed_terminal_fails_no_run(planned, code, monkeypatch, capsys):
    """Each run begins, and the file that cannot be written is named; once there is room the same command goes on."""
    real, full = os.fsync, [True]

    def flush(descriptor):
        if full and not Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith((".config.yaml.new", "-0", "-1")):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    def launch(todo):
        return [sweep.do(run, lambda run: protocol.run(run, "none")) for run in todo]

    monkeypatch.setattr(os, "fsync", flush)
    folders = [run.folder for run in planned[:2]]
    assert sweep.sweep(planned[:2], launch, "again") == 4
    shown = capsys.readouterr()
    assert shown.err.startswith("2 of the runs could not be finished; repeat the command to resume them:\n")
    assert all(f"{os.strerror(code)}: '{folder}/metrics.csv'" in shown.err for folder in folders)
    assert [runs.state(folder) for folder in folders] == ["unfinished"] * 2
    full.clear()
    assert sweep.sweep(planned[:2], launch, "again") == 0
