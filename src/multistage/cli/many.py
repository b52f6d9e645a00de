"""Do many runs: every combination of what was typed, or an experiment, by one of Hydra's launchers."""

import shlex
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from multistage.cli import help
from multistage.registry.errors import ConfigError
from multistage.registry.words import as_typed
from multistage.settings import composition, experiments, launchers

if TYPE_CHECKING:
    from multistage.settings.naming import Run


def many(words: Sequence[str], typed: Sequence[str]) -> int:
    """Do the runs of a command line; returns the exit code.

    Args:
        words: Its settings.
        typed: The whole command line, for messages.

    Raises:
        ConfigError: A run cannot be done, or there is none; no run was started.
    """
    planned, jobs, left_out = checked(words)
    for line in left_out:
        print(line)
    settings = planned[0].config
    engine = [*launchers.engine_of(words), f"output={as_typed(settings['output'])}"]
    launched = launchers.launcher(engine)
    each = {run.folder: job for run, job in zip(planned, jobs, strict=True)}

    from multistage.cli import workers
    from multistage.cli.sweep import sweep

    since = time.time()
    launch = workers.pool(launched, since) if isinstance(launched, int) else launched(partial(workers.alone, since))
    command = f"{help.TRAIN} {shlex.join(typed)}"
    return sweep(
        planned,
        lambda todo: launch([each[run.folder] for run in todo]),
        command,
        settings["retry_failed"],
        elsewhere=not isinstance(launched, int),
    )


def checked(words: Sequence[str]) -> tuple[list["Run"], list[list[str]], list[str]]:
    """Return the runs of a sweep, the command line of each, and a line for each setting that some of them do not read.

    Raises:
        ConfigError: A run cannot be done, or there is none.
    """
    engine = launchers.engine_of(words)
    with composition.hydra():
        jobs = expanded([word for word in words if word not in engine])
        if not jobs:
            raise ConfigError(f"{' '.join(words)} names no run; expected at least one value for each key")
        planned, jobs, left_out = composition.plan_all(jobs)
    if any(run.config["overwrite"] is True for run in planned):
        raise ConfigError("overwrite=true is for single runs: a sweep with it cannot resume; use changed")
    return planned, jobs, left_out


def expanded(words: Sequence[str]) -> list[list[str]]:
    """Return the command line of each run."""
    name = chosen_experiment(words)
    others = [word for word in words if not word.startswith("experiment=")]
    return composition.expand(words) if name is None else experiments.experiment(name, others)


def chosen_experiment(words: Sequence[str]) -> str | None:
    """Return the typed experiment (the last one); None if there is none."""
    names = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    return names[-1] if names and names[-1] != "null" else None
