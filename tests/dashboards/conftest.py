from types import SimpleNamespace

import pytest

from multistage.dashboards import wandb_run


@pytest.fixture
def warned(caplog):
    """What this project has warned of so far; wandb's own log is not shown to users."""

    def messages():
        return [record.message for record in caplog.records if record.name.startswith("multistage")]

    return messages


@pytest.fixture
def started(monkeypatch):
    """What `wandb.init` is asked for; no run is made."""
    asked = {}
    run = SimpleNamespace(dir="runs/x/wandb/run-1/files", step=0, logged=[], summary={}, finish=lambda exit_code: None)
    run.log = lambda row, step=None: run.logged.append((step, row))
    run.define_metric = lambda *_, **__: None

    def init(**arguments):
        asked.update(arguments)
        return run

    monkeypatch.setattr("wandb.init", init)
    wandb_run.can_be_online.cache_clear()
    yield SimpleNamespace(asked=asked, run=run)
    wandb_run.can_be_online.cache_clear()
