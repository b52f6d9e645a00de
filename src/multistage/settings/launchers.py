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

Launch = Callable[[Sequence[Sequence[str]]], list[Any]]
"""Does runs, given what would be typed for each, and returns what came of them."""


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


def launcher(engine: Sequence[str]) -> int | Callable[[Job], Launch]:
    """Who does a list of runs: so many processes on this machine, or a launcher of Hydra's elsewhere.

    Hydra's own for this machine, joblib's too, lose all runs with the first process that is killed.

    Args:
        engine: Settings of Hydra's: ``hydra/launcher=joblib``, ``hydra.launcher.n_jobs=2``.

    Returns:
        The number of processes; or what makes, of a job to call for each run, a function that does a list of them.

    Raises:
        ConfigError: There is no such launcher, or it has no such setting, or the setting has no effect.
    """
    from hydra.core.plugins import Plugins
    from hydra.errors import HydraException
    from hydra.types import RunMode
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
                raise ConfigError(f"{word} is not an option of {chosen[-1]}; expected one of {', '.join(known)}")
        try:
            config = load(list(engine))
        except HydraException as error:
            raise ConfigError(f"{first_line(error)}; options of {chosen[-1]} cannot be set so") from None
        kind = there._target_.rpartition(".")[2]
        if kind in ("BasicLauncher", "JoblibLauncher"):
            return _processes(engine, config.hydra.launcher.get("n_jobs"))

    def launch(job: Job) -> Launch:
        from hydra._internal.callbacks import Callbacks
        from hydra.types import HydraContext

        with hydra() as loader:
            context = HydraContext(config_loader=loader, callbacks=Callbacks(config))
            task = partial(_unpacked, job)
            started = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)
        return partial(_launch, started)

    return launch


def _launch(started: Any, runs: Sequence[Sequence[str]]) -> list[Any]:
    with hydra():
        done = started.launch([[f"+typed={as_typed([*typed])}"] for typed in runs], initial_job_idx=0)
    return [result.return_value for result in done]


def _processes(engine: Sequence[str], count: Any) -> int:
    """How many processes ``hydra.launcher.n_jobs`` means (joblib: -1 is one for each core); 1 without it.

    Raises:
        ConfigError: Another option was typed, or the number is none.
    """
    for word in engine:
        key = word.lstrip("+~").partition("=")[0]
        if key.startswith("hydra.launcher.") and key != "hydra.launcher.n_jobs":
            raise ConfigError(f"{word} has no effect: processes on this machine know hydra.launcher.n_jobs alone")
    if count is None:
        return 1
    cores = os.cpu_count() or 1
    most = max(8, 4 * cores)
    if type(count) is not int or not (1 <= count <= most or -cores <= count <= -1):
        raise ConfigError(
            f"hydra.launcher.n_jobs={count} is not allowed; expected a whole number from 1 to {most}, or -1 for the "
            f"{cores} cores of this machine"
        )
    import joblib

    return int(joblib.effective_n_jobs(count))


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
