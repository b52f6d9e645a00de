"""Do one run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multistage.settings import composition
from multistage.settings.automatic import described

if TYPE_CHECKING:
    from multistage.records.runs import Record
    from multistage.settings.naming import Run
    from multistage.train.training import Progress


def one(typed: Sequence[str], progress: "Progress") -> str:
    """Do the typed run; returns its summary."""
    run = composition.plan(typed)
    record = execute(run, progress)
    from multistage.cli import terminal

    chosen = [f"geometry=auto  {described(run.settings)}"] if run.config["geometry"] == "auto" else []
    return "\n".join([terminal.summary(record, run.folder), *chosen])


def execute(run: "Run", progress: "Progress") -> "Record":
    """Do a run; a finished run is not repeated."""
    from multistage.train import hardware, protocol
    from multistage.train.quiet import quiet

    hardware.prepare()
    with quiet():
        return protocol.run(run, progress)
