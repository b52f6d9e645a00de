"""Lightning's callbacks by configuration: ``callbacks.NAME._target_`` and, beside it, the arguments of that class.

conf/callbacks/early_stopping.yaml is one of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from multistage.registry.errors import ConfigError, one_line
from multistage.registry.words import nearest, shown
from multistage.settings.optimizer import check_class, named_class
from multistage.settings.tree import section

LOGGED = ("train_accuracy", "train_loss")
LOGGED_OF_VALIDATION = ("validation_accuracy", "validation_loss", "validation_mean_class_accuracy")
"""What a callback can monitor."""


ALLOWED = ("EarlyStopping", "LearningRateMonitor", "GradientAccumulationScheduler")
"""Classes of `pytorch_lightning.callbacks` that go with how runs are trained, resumed and recorded here."""


def names(config: Mapping[str, Any]) -> list[str]:
    """Of the callbacks of a configuration, in order."""
    return list(dict.fromkeys(key.split(".")[1] for key in config if key.startswith("callbacks.")))


def check(config: Mapping[str, Any]) -> None:
    """Refuse callbacks that Lightning does not have, that do this project's own work, or that wait for no metric.

    Raises:
        ConfigError: One line with the key.
    """
    logged = [*LOGGED, *(LOGGED_OF_VALIDATION if config["data.validation"] else ())]
    for name in names(config):
        prefix = f"callbacks.{name}"
        target = check_class(config, prefix)
        if target.__name__ not in ALLOWED:
            raise ConfigError(
                f"{prefix}._target_={target.__name__} is not allowed; expected one of {', '.join(ALLOWED)}: others "
                "choose weights, rates or the end of a run by themselves, or show what is shown already"
            )
        monitor = config.get(f"{prefix}.monitor")
        if monitor is not None and monitor not in logged:
            missing = "; it needs data.validation=N" if monitor in LOGGED_OF_VALIDATION else nearest(monitor, logged)
            raise ConfigError(
                f"{prefix}.monitor={shown(monitor)} is not allowed; expected one of {', '.join(logged)}{missing}"
            )
    try:
        make(config)
    except Exception as error:
        raise ConfigError(f"Lightning refuses callbacks {', '.join(names(config))}: {one_line(error)}") from None


def make(config: Mapping[str, Any]) -> Sequence[Any]:
    """The callbacks of a configuration."""
    made = []
    for name in names(config):
        arguments = section(config, f"callbacks.{name}")
        made.append(named_class(f"callbacks.{name}", arguments.pop("_target_"))(**arguments))
    return made
