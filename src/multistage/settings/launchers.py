"""Hydra's launchers, and what Hydra's command line shows without running anything.

Hydra has no public API for a launcher without its command line. `Callbacks` is private, so a test pins Hydra's version.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from functools import partial
from typing import Any

from multistage.registry.errors import ConfigError
from multistage.registry.words import as_typed, key_of
from multistage.settings import advice
from multistage.settings.composition import CONF, first_line, hydra

SHOWING = ("--info", "-i", "--hydra-help", "--shell-completion", "-sc")
"""Options of Hydra that only show information."""

Job = Callable[[list[str]], Any]
"""Does a run, given its command line."""

Launch = Callable[[Sequence[Sequence[str]]], list[Any]]
"""Does runs, given their command lines, and returns their outcomes."""


def engine_of(words: Sequence[str]) -> list[str]:
    """Return the words of a sweep that are for Hydra: launcher and options; none can name a class.

    Raises:
        ConfigError: Any other setting of Hydra; one line with it.
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
    """Return what does a list of runs: a number of processes on this machine, or one of Hydra's launchers.

    Hydra's launchers for this machine are not used: they lose all runs when one process is killed.

    Args:
        engine: Settings of Hydra: ``hydra/launcher=joblib``, ``hydra.launcher.n_jobs=2``.

    Returns:
        The number of processes; or a function that turns a job for one run into a function for a list of runs.

    Raises:
        ConfigError: Unknown launcher, unknown setting, or a setting without effect.
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
                expected = f"expected one of {', '.join(known)}" if known else "it has none"
                raise ConfigError(f"{word} is not an option of {chosen[-1]}; {expected}")
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
        key = key_of(word)
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
    """Do the run of a configuration that Hydra composed.

    Its key ``typed`` holds the command line, because Hydra does not know settings without a file, and takes
    ``experiment`` for a choice of files.
    """
    from omegaconf import OmegaConf

    typed: Any = OmegaConf.to_container(launched.typed, resolve=False)
    return job(typed)


def show(arguments: Sequence[str]) -> None:
    """Let Hydra show its information without running anything.

    Raises:
        ConfigError: Hydra cannot show it.
    """
    import hydra
    from hydra.errors import HydraException

    sys.argv[1:] = arguments
    try:
        hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")(lambda config: None)()
    except (HydraException, ValueError) as error:
        raise ConfigError(f"{first_line(error)}; type options of Hydra alone") from None
