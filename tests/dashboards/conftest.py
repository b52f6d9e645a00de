import pytest


@pytest.fixture
def warned(caplog):
    """What this project has warned of so far; wandb's own log is not shown to users."""

    def messages():
        return [record.message for record in caplog.records if record.name.startswith("multistage")]

    return messages
