"""Do many runs: every combination of what was typed, or an experiment, by one of Hydra's launchers."""

import shlex
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from multistage.cli import help
from multistage.registry.errors import ConfigError
from multistage.registry.words import as_typed
from multistage.settings import composition, experiments, launchers

if TYPE_CHECKING:
    from multistage.cli.sweep import Outcome
    from multistage.settings.naming import Run


def many(arguments: Sequence[str]) -> int:
    """Do the runs of a command line; returns the exit code.

    Raises:
        ConfigError: A run cannot be done, or there is none; nothing was done.
    """
    words = [word for word in arguments if not word.startswith("-")]
    engine = [word for word in words if word.startswith(("hydra.", "hydra/"))]
    launchers.check_engine(engine)
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
    launcher = launchers.launcher(engine, partial(job, time.time()))
    typed = {run.folder: [f"+typed={as_typed(job)}"] for run, job in zip(planned, jobs, strict=True)}

    def launch(todo: "Sequence[Run]") -> "list[Outcome]":
        with composition.hydra():
            done = launcher.launch([typed[run.folder] for run in todo], initial_job_idx=0)
        return [result.return_value for result in done]

    from multistage.cli.sweep import sweep

    command = f"{help.TRAIN} {shlex.join(arguments)}"
    return sweep(planned, launch, command, retry_failed=settings["retry_failed"])


def job(since: float, launched: Any) -> "Outcome":
    """What a launcher calls for each run of a sweep, here or in a process elsewhere.

    Args:
        since: When the sweep began, seconds since the epoch.
        launched: What Hydra composes for a launch: what was typed for the run alone is a list in it, ``typed``, since
            Hydra itself knows neither settings without a file nor ``experiment``, which it takes for a choice of files.
    """
    from omegaconf import OmegaConf

    from multistage.cli.one import execute
    from multistage.cli.sweep import do

    typed: Any = OmegaConf.to_container(launched.typed, resolve=False)
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
