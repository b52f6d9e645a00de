"""What only Hydra's own command line does: its launchers, and what it shows without running anything.

There is no public way to use a launcher without that command line: `Callbacks` is private, so that a test names the
version of Hydra.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from multistage.registry.errors import ConfigError
from multistage.registry.words import as_typed
from multistage.settings.composition import CONF, first_line, hydra

SHOWING = {"--help", "--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"}
"""Options of Hydra's that run nothing."""

Job = Callable[[list[str]], Any]
"""Does a run, given what would be typed for it."""


def engine_of(words: Sequence[str]) -> list[str]:
    """Of the words of a sweep those for Hydra: the choice of a launcher, and its options; none can name code to run.

    Raises:
        ConfigError: Another setting of Hydra's; one line with it.
    """
    engine = [word for word in words if word.lstrip("+~").startswith(("hydra.", "hydra/"))]
    for word in engine:
        key = word.partition("=")[0]
        if "_target_" in word or not (key == "hydra/launcher" or key.startswith("hydra.launcher.")):
            raise ConfigError(f"{word} is not allowed; expected hydra/launcher=NAME or hydra.launcher.OPTION=VALUE")
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

    with hydra() as loader:
        try:
            config = loader.load_configuration("train", list(engine), run_mode=RunMode.MULTIRUN)
        except HydraException as error:
            raise ConfigError(f"{first_line(error)}; pip install 'multistage[launchers]' brings launchers") from None
        context = HydraContext(config_loader=loader, callbacks=Callbacks(config))
        task = partial(_unpacked, job)
        started = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)

    def launch(runs: Sequence[Sequence[str]]) -> list[Any]:
        with hydra():
            done = started.launch([[f"+typed={as_typed([*typed])}"] for typed in runs], initial_job_idx=0)
        return [result.return_value for result in done]

    return launch


def _unpacked(job: Job, launched: Any) -> Any:
    """Do the run that Hydra composed a configuration for.

    What was typed for it is a list in there, ``typed``, since Hydra itself knows neither settings without a file nor
    ``experiment``, which it takes for a choice of files.
    """
    from omegaconf import OmegaConf

    typed: Any = OmegaConf.to_container(launched.typed, resolve=False)
    return job(typed)


def show(arguments: Sequence[str], flags: set[str]) -> None:
    """What Hydra can show without running anything: the composed configuration, its own state, shell completion.

    Raises:
        ConfigError: One of the flags is no such option.
    """
    if unknown := flags - SHOWING:
        raise ConfigError(
            f"{', '.join(sorted(unknown))} is no option; expected -m or one of {', '.join(sorted(SHOWING))}"
        )
    import hydra

    sys.argv[1:] = arguments
    hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")(lambda config: None)()
