"""Sweeps whose images have changed or are not there: a finished run is refused, and a download is tried once."""

import pytest
from cli.sweeps import finish, launcher

from multistage.cli import same_images, sweep
from multistage.data import data_sets, download
from multistage.records import runs
from multistage.registry.errors import ConfigError, MissingDataError
from multistage.settings import composition


@pytest.fixture
def tried(monkeypatch):
    """Downloads that were tried; each fails."""
    tried = []

    def refuse(data, *_):
        tried.append(data)
        raise OSError("no network")

    monkeypatch.setattr(download, "_fetch_packed", refuse)
    return tried


@pytest.fixture
def four(tmp_path):
    """Runs on images that are not there."""
    typed = ["data=mnist", f"data.root={tmp_path / 'data'}", f"output={tmp_path}/runs", "model=avgpool"]
    return [composition.plan([*typed, f"draw={draw}"]) for draw in range(4)]


def test_finished_runs_that_saw_other_images_are_refused(planned):
    finish(planned[0])  # with hashes made up
    with pytest.raises(ConfigError, match="the images or their names have changed"):
        same_images.other_images(planned[:1])
    redone = planned[0]._replace(config={**planned[0].config, "overwrite": "changed"})
    assert same_images.other_images([redone]) == ([redone], {})


def test_a_finished_sweep_needs_no_images_and_says_that_they_cannot_be_checked(four, tried, capsys):
    for run in four:
        finish(run)
    assert sweep.sweep(four, launcher(done := []), "again") == 0
    assert capsys.readouterr().err == ""
    assert (tried, done) == ([], [])


def test_a_sweep_whose_images_are_gone_tries_one_download(four, tried, tmp_path, capsys):
    for run in four[:3]:
        finish(run)
    assert sweep.sweep(four, launcher(done := []), "again") == 4
    assert (len(tried), done) == (1, [])
    checked, undone, run = capsys.readouterr().err.splitlines()
    gone = f"MNIST is not in {tmp_path / 'data'}"
    assert checked.startswith(f"finished runs on data=mnist cannot be checked: {gone}")
    assert undone == "1 of the runs could not be finished; repeat the command to resume them:"
    assert run.startswith(f"  {four[3].folder}: {gone}")


def test_machines_elsewhere_look_for_their_own_images(four, tried, capsys):
    finish(four[0])
    sweep.sweep(four, launcher(done := []), "again", elsewhere=True)
    assert len(done) == 3
    assert "cannot be checked" in capsys.readouterr().err


def test_a_new_sweep_whose_images_are_not_there_tries_one_download_before_any_process_begins(four, tried, capsys):
    assert sweep.sweep(four, launcher(done := []), "again") == 4
    assert (len(tried), done) == (1, [])
    _, line = capsys.readouterr().err.splitlines()
    assert line.startswith(f"  {four[0].folder} and 3 others: MNIST is not in ")


def test_a_root_with_other_data_sets_lacks_this_one(tmp_path, monkeypatch):
    (tmp_path / "data/MNIST/raw").mkdir(parents=True)
    monkeypatch.setattr(download, "_fetch", lambda *_: (_ for _ in ()).throw(OSError("no network")))
    data = data_sets["caltech101"](root=str(tmp_path / "data"))
    assert [*same_images.missing([data])] == [data]


def test_images_that_other_machines_may_have_are_not_downloaded_here(four, tried, capsys):
    assert sweep.sweep(four, launcher(done := []), "again", elsewhere=True) == 0
    assert (tried, len(done)) == ([], 4)
    assert capsys.readouterr().err == ""


def test_a_process_that_cannot_download_images_tries_once(planned, monkeypatch):
    monkeypatch.setattr(sweep, "_gone", {})
    tried = []

    def refuse(run):
        tried.append(run)
        raise MissingDataError("no network")

    assert [sweep.do(run, refuse) for run in planned] == 4 * ["no network"]
    assert tried == planned[:1]
    assert [runs.state(run.folder) for run in planned] == 4 * ["unfinished"]
