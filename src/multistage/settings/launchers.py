"""Hydra's launchers, which do the runs of a sweep: one after the other, on this machine, on a cluster.

There is no public way to use one without Hydra's own command line: `Callbacks` is private, so that a test names the
version of Hydra.
"""

from collections.abc import Sequence
from typing import Any

from multistage.registry.errors import ConfigError
from multistage.settings.composition import first_line, hydra


def check_engine(words: Sequence[str]) -> None:
    """Refuse settings of Hydra's beside the choice of a launcher and its options, so that none can name code to run.

    Raises:
        ConfigError: One line with the setting.
    """
    for word in words:
        key = word.partition("=")[0]
        if "_target_" in word or not (key == "hydra/launcher" or key.startswith("hydra.launcher.")):
            raise ConfigError(f"{word} is not allowed; expected hydra/launcher=NAME or hydra.launcher.OPTION=VALUE")


def launcher(engine: Sequence[str], job: Any) -> Any:
    """One of Hydra's launchers, ready to launch lists of overrides.

    Args:
        engine: Settings of Hydra's: ``hydra/launcher=joblib``, ``hydra.launcher.n_jobs=2``.
        job: What it calls with each configuration.

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
        return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=job, config=config)
