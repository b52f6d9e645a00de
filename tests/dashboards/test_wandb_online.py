"""What wandb is asked for when a run starts, logs and ends, and what happens where it cannot be online."""

import pytest
import wandb
from dashboards.example import opened as make_opened
from dashboards.example import whole_run
from dashboards.wandb_files import inspect
from dashboards.wandb_processes import online as run_online

from multistage.dashboards import wandb_run


def test_online_without_a_key_is_offline_says_so_once_and_asks_nothing(
    plan, tmp_path, monkeypatch, warned, capfd, started
):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("asked"))
    config = plan("logger=wandb", "logger.mode=online").config
    for name in ("a", "b"):
        with make_opened(config, tmp_path / name, name):
            assert started.asked["mode"] == "offline"
    (message,) = warned()
    assert "no key" in message
    assert "wandb login" in message


def test_online_without_a_server_is_offline(plan, tmp_path, monkeypatch, warned, started):
    def login(prompt):
        assert not prompt
        raise wandb.errors.AuthenticationError("no\nanswer")

    monkeypatch.setattr(wandb, "login", login)
    with make_opened(plan("logger=wandb", "logger.mode=online").config, tmp_path, "a"):
        assert started.asked["mode"] == "offline"
    (message,) = warned()
    assert "no answer" in message
    assert "wandb sync" in message


@pytest.mark.slow
def test_online_with_a_key_but_no_network_is_offline(tmp_path):
    """In a process of its own, since wandb reads its settings once; nothing listens at the address."""
    variables = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_SILENT": "true"}
    done = run_online(tmp_path, **variables)
    assert "logger.mode=online is not possible" in done.stderr
    assert inspect(tmp_path, "--summary")["state"] == "finished"


def test_online_a_run_has_always_the_same_id_and_rows_the_server_has_are_left_out(plan, tmp_path, monkeypatch, started):
    monkeypatch.setattr(wandb, "login", lambda prompt: True)
    config = plan("logger=wandb", "logger.mode=online", "name=tuning").config
    started.run.step = 2
    with make_opened(config, tmp_path, "digits/a") as opened:
        for step in (1, 2, 3):
            opened.log({"epoch": step, "train_loss": 0.5})
    assert started.asked["mode"] == "online"
    assert started.asked["resume"] == "allow"
    assert started.asked["id"] == wandb_run.identifier("multistage", "tuning", "digits/a")
    assert started.run.logged == [(step, {"epoch": step, "train_loss": 0.5}) for step in (2, 3)]
    assert len({wandb_run.identifier(*parts) for parts in ("aab", "aba", "baa", "aac")}) == 4


def test_a_failing_run_is_marked_failed(plan, tmp_path, started):
    codes = []
    started.run.finish = lambda exit_code: codes.append(exit_code)
    with pytest.raises(ZeroDivisionError), make_opened(plan("logger=wandb").config, tmp_path, "a"):
        raise ZeroDivisionError
    assert codes == [1]


def test_a_run_that_is_overwritten_does_not_continue_the_old_one(plan, tmp_path, started):
    with make_opened(plan("logger=wandb", "overwrite=true").config, tmp_path, "a"):
        assert started.asked["resume"] is None


def test_a_wandb_that_cannot_start_costs_one_warning(plan, tmp_path, monkeypatch, warned):
    def init(**_):
        raise wandb.errors.CommError("no\nservice")

    monkeypatch.setattr(wandb, "init", init)
    whole_run(plan("logger=wandb").config, tmp_path)
    (message,) = warned()
    assert "no service" in message


def test_an_upload_that_is_not_done_in_time_says_how_to_do_it_later(plan, tmp_path, warned, started):
    def finish(exit_code):
        raise TimeoutError

    started.run.finish = finish
    with make_opened(plan("logger=wandb").config, tmp_path, "a"):
        pass
    (message,) = warned()
    assert "wandb sync runs/x/wandb/run-1'" in message
