"""What a sweep says of its progress: one line for each finished run, and the time that the others will take."""

import threading
import time

import pytest
from cli.sweeps import finish, launcher

from multistage.cli import progress, sweep
from multistage.records import cells, runs


def test_what_runs_will_take_is_that_of_finished_ones_most_like_them(planned):
    """Seconds are looked up, not compared with those of each finished run."""
    finish(planned[0], seconds={"train": 10.0})
    finish(planned[2], seconds={"train": 30.0})
    assert progress.Progress(planned)._expected() == [10, 30]
    assert progress.Progress([planned[0], planned[3]])._expected() == [10]


@pytest.mark.usefixtures("trusted_images")
def test_a_line_about_a_run_reads_the_settings_of_no_other(planned, monkeypatch):
    read = []
    monkeypatch.setattr(progress, "key", lambda record: read.append(record) or cells.key(record))
    assert sweep.sweep(planned, launcher([]), "again") == 0
    assert len(read) == 2 * len(planned)


def test_a_run_that_two_looks_find_has_one_line(planned, monkeypatch, capsys):
    found = progress.Progress(planned)
    finish(planned[0])
    read = runs.read
    monkeypatch.setattr(runs, "read", lambda folder: time.sleep(0.1) or read(folder))
    looks = [threading.Thread(target=found.show_new) for _ in range(2)]
    for look in looks:
        look.start()
    for look in looks:
        look.join()
    assert capsys.readouterr().out.count("1/4") == 1


def test_lines_say_how_long_the_others_take_at_the_pace_of_those_that_are_done(planned, capsys):
    found = progress.Progress(planned)
    found.started -= 600
    for run in planned[:2]:
        finish(run)
    found.show_new()
    assert [line.rpartition("  ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "about 30 min left",
        "about 10 min left",
    ]
