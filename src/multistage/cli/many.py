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
    from multistage.cli.sweep import Outcome


def many(arguments: Sequence[str]) -> int:
    """Do the runs of a command line; returns the exit code.

    Raises:
        ConfigError: A run cannot be done, or there is none; nothing was done.
    """
    words = [word for word in arguments if not word.startswith("-")]
    engine = launchers.engine_of(words)
    with composition.hydra():
        jobs = expanded([word for word in words if word not in engine])
        if not jobs:
            raise ConfigError(f"{' '.join(words)} names no run; expected at least one value for each key")
        planned, jobs, left_out = composition.plan_all(jobs)
    for line in left_out:
        print(line)
    settings = planned[0].config
    if any(run.config["overwrite"] is True for run in planned):
        raise ConfigError("overwrite=true is for single runs: a sweep that starts over could not go on; use changed")
    engine.append(f"output={as_typed(settings['output'])}")
    launch = launchers.launcher(engine, partial(job, time.time()))
    typed = {run.folder: words for run, words in zip(planned, jobs, strict=True)}

    from multistage.cli.sweep import sweep

    command = f"{help.TRAIN} {shlex.join(arguments)}"
    return sweep(planned, lambda todo: launch([typed[run.folder] for run in todo]), command, settings["retry_failed"])


def job(since: float, typed: Sequence[str]) -> "Outcome":
    """What a launcher calls for each run of a sweep, here or in a process elsewhere.

    Args:
        since: When the sweep began, seconds since the epoch.
        typed: What would be typed for the run alone.
    """
    from multistage.cli.one import execute
    from multistage.cli.sweep import do

    return do(composition.plan(typed), lambda run: execute(run, "none"), since)


def expanded(words: Sequence[str]) -> list[list[str]]:
    """What would be typed for each run alone."""
    name = chosen_experiment(words)
    others = [word for word in words if not word.startswith("experiment=")]
    return composition.expand(words) if name is None else experiments.experiment(name, others)


def chosen_experiment(words: Sequence[str]) -> str | None:
    """The experiment that was typed, the last one; None if there is none."""
    names = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    return names[-1] if names and names[-1] != "null" else None
