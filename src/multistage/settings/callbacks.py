"""Lightning callbacks from a configuration: ``callbacks.NAME._target_`` and the arguments of that class.

conf/callbacks/early_stopping.yaml is one of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from multistage.registry.errors import ConfigError, one_line
from multistage.registry.rules import NOTHING, either, number, whole
from multistage.registry.words import nearest, shown
from multistage.settings import validation
from multistage.settings.optimizer import ANY_NUMBER, check_class, named_class
from multistage.settings.tree import section

LOGGED = ("train_accuracy", "train_loss")
"""Metrics that a callback can monitor, besides those of validation images."""

AVERAGES = {
    "decay": number(0, 1),
    "update_every_n_steps": whole(1),
    "update_starting_at_step": either(whole(0), NOTHING),
}
"""Arguments of weight averaging that can be set; Lightning always starts averaging at the first step."""

THRESHOLDS = dict.fromkeys(("stopping_threshold", "divergence_threshold"), either(ANY_NUMBER, NOTHING))
"""Arguments of early stopping that Lightning does not check."""

RULES = {**AVERAGES, **THRESHOLDS}

ALLOWED = ("EarlyStopping", "LearningRateMonitor", "EMAWeightAveraging", "WeightAveraging")
"""Classes of `pytorch_lightning.callbacks` that are compatible with training, resuming and records here."""


def names(config: Mapping[str, Any]) -> list[str]:
    """Return the names of a configuration's callbacks, in order."""
    return list(dict.fromkeys(key.split(".")[1] for key in config if key.startswith("callbacks.")))


def check(config: Mapping[str, Any]) -> None:
    """Refuse callbacks that Lightning lacks, that duplicate this project's work, or that monitor an unknown metric.

    Raises:
        ConfigError: One line with the key.
    """
    logged = [*LOGGED, *(validation.LOGGED if validation.possible(config) else ())]
    averaging: list[str] = []
    for name in names(config):
        prefix = f"callbacks.{name}"
        target = named_class(prefix, config.get(f"{prefix}._target_"))
        if target.__name__ not in ALLOWED:
            raise ConfigError(
                f"{prefix}._target_={target.__name__} is not allowed; expected one of {', '.join(ALLOWED)}: others "
                "choose weights, rates or the end of a run by themselves, or show what is shown already"
            )
        check_class(config, prefix)
        monitor = config.get(f"{prefix}.monitor")
        if monitor is not None and monitor not in logged:
            needs = "; it needs data.validation=N"
            missing = needs if monitor in validation.LOGGED else nearest(str(monitor), logged)
            raise ConfigError(
                f"{prefix}.monitor={shown(monitor)} is not allowed; expected one of {', '.join(logged)}{missing}"
            )
        if target.__name__.endswith("Averaging"):
            averaging.append(prefix)
            _check_average(config, prefix)
        for argument, value in section(config, prefix).items():
            if (rule := RULES.get(argument)) and not rule.accepts(value):
                raise ConfigError(f"{prefix}.{argument}={shown(value)} is not allowed; expected {rule.allowed}")
    if len(averaging) > 1:
        raise ConfigError(f"{' and '.join(averaging)} all average weights; expected one of them, leave the others out")
    try:
        make(config)
    except Exception as error:
        raise ConfigError(f"Lightning refuses callbacks {', '.join(names(config))}: {one_line(error)}") from None


def _check_average(config: Mapping[str, Any], prefix: str) -> None:
    for argument, value in section(config, prefix).items():
        if argument not in ("_target_", *AVERAGES):
            raise ConfigError(
                f"{prefix}.{argument}={shown(value)} is not allowed; expected no more than {', '.join(AVERAGES)}"
            )
    precision = str(config.get("trainer.precision", ""))
    if precision in ("bf16-true", "16-true"):
        raise ConfigError(
            f"trainer.precision={precision} with {prefix}: an average in so few digits does not move; use "
            f"trainer.precision={precision.replace('true', 'mixed')}"
        )


def make(config: Mapping[str, Any], instead: Mapping[type, type] | None = None) -> Sequence[Any]:
    """Make the callbacks of a configuration.

    Args:
        config: The run's configuration.
        instead: Replacements for some of Lightning's classes.
    """
    made = []
    for name in names(config):
        arguments = section(config, f"callbacks.{name}")
        named = named_class(f"callbacks.{name}", arguments.pop("_target_"))
        made.append((instead or {}).get(named, named)(**arguments))
    return made
