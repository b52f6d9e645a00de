"""What only Hydra's own command line does: its launchers, and what it shows without running anything.

There is no public way to use a launcher without that command line: `Callbacks` is private, so that a test names the
version of Hydra.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from functools import partial
from typing import Any

from multistage.registry.errors import ConfigError
from multistage.registry.words import as_typed
from multistage.settings import advice
from multistage.settings.composition import CONF, first_line, hydra

SHOWING = ("--info", "-i", "--hydra-help", "--shell-completion", "-sc")
"""Options of Hydra's that run nothing and tell of itself."""

Job = Callable[[list[str]], Any]
"""Does a run, given what would be typed for it."""


def engine_of(words: Sequence[str]) -> list[str]:
    """Of the words of a sweep those for Hydra: the choice of a launcher, and its options; none can name code to run.

    Raises:
        ConfigError: Another setting of Hydra's; one line with it.
    """
    engine = [word for word in words if word.lstrip("+~").startswith(("hydra.", "hydra/"))]
    for word in engine:
        if refusal := advice.of_hydra(word):
            raise ConfigError(refusal)
    chosen = any(word.startswith("hydra/launcher=") for word in engine)
    if engine and not chosen:
        raise ConfigError(
            f"{engine[0]} belongs to a launcher; add hydra/launcher=joblib (this machine) or submitit_slurm (a cluster)"
        )
    return engine


def launcher(engine: Sequence[str], job: Job) -> Callable[[Sequence[Sequence[str]]], list[Any]]:
    """One of Hydra's launchers: what does a list of runs, here or elsewhere, and returns what came of each.

    Args:
        engine: Settings of Hydra's: ``hydra/launcher=joblib``, ``hydra.launcher.n_jobs=2``.
        job: What it calls for each run.

    Raises:
        ConfigError: There is no such launcher, or it has no such setting.
    """
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.errors import HydraException
    from hydra.types import HydraContext, RunMode
    from omegaconf import OmegaConf

    with hydra() as loader:
        load = partial(loader.load_configuration, "train", run_mode=RunMode.MULTIRUN)
        chosen = [word for word in engine if word.startswith("hydra/launcher=")]
        try:
            there = load(chosen).hydra.launcher
        except HydraException as error:
            raise ConfigError(f"{first_line(error)}; pip install 'multistage[launchers]' brings launchers") from None
        for word in engine:
            key = word.partition("=")[0].removeprefix("hydra.launcher.")
            if word.startswith("hydra.launcher.") and OmegaConf.select(there, key, default=MISSING) is MISSING:
                known = sorted(str(option) for option in there if option != "_target_")
                raise ConfigError(f"{word} is no option of {chosen[-1]}; expected one of {', '.join(known)}")
        try:
            config = load(list(engine))
        except HydraException as error:
            raise ConfigError(f"{first_line(error)}; options of {chosen[-1]} cannot be set so") from None
        _check_workers(config.hydra.launcher.get("n_jobs", 1))
        context = HydraContext(config_loader=loader, callbacks=Callbacks(config))
        task = partial(_unpacked, job)
        started = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)

    def launch(runs: Sequence[Sequence[str]]) -> list[Any]:
        with hydra():
            done = started.launch([[f"+typed={as_typed([*typed])}"] for typed in runs], initial_job_idx=0)
        return [result.return_value for result in done]

    return launch


def _check_workers(count: Any) -> None:
    """Refuse a number of processes that this machine cannot run.

    Raises:
        ConfigError: One line with what it can.
    """
    cores = os.cpu_count() or 1
    most = max(8, 4 * cores)
    if type(count) is not int or not (1 <= count <= most or -cores <= count <= -1):
        raise ConfigError(
            f"hydra.launcher.n_jobs={count} is not allowed; expected a whole number from 1 to {most}, or -1 for the "
            f"{cores} cores of this machine"
        )


def _unpacked(job: Job, launched: Any) -> Any:
    """Do the run that Hydra composed a configuration for.

    What was typed for it is a list in there, ``typed``, since Hydra itself knows neither settings without a file nor
    ``experiment``, which it takes for a choice of files.
    """
    from omegaconf import OmegaConf

    typed: Any = OmegaConf.to_container(launched.typed, resolve=False)
    return job(typed)


def show(arguments: Sequence[str]) -> None:
    """What Hydra can show of itself without running anything."""
    import hydra

    sys.argv[1:] = arguments
    hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")(lambda config: None)()
