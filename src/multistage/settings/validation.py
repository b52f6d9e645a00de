"""Validation images, which some settings need: held out by ``data.validation``, or the data set's own."""

from collections.abc import Mapping
from typing import Any

from multistage.data import data_sets
from multistage.registry.errors import ConfigError
from multistage.registry.words import shown

LOGGED = ("validation_accuracy", "validation_loss", "validation_mean_class_accuracy")
"""Metrics of validation images."""


def possible(config: Mapping[str, Any]) -> bool:
    """Whether a run may have validation images, as far as its settings tell."""
    return bool(config["data.validation"]) or data_sets.choose(config["data"]).may_validate


def check(config: Mapping[str, Any], images: int) -> None:
    """Refuse settings that need validation images, once their number is known.

    Args:
        config: The run's configuration.
        images: Number of its validation images.

    Raises:
        ConfigError: There are none; one line with the key.
    """
    for key, value in config.items():
        monitors = key.startswith("callbacks.") and key.endswith(".monitor") and value in LOGGED
        if not images and (monitors or key == "trainer.limit_val_batches"):
            raise ConfigError(
                f"{key}={shown(value)} needs validation images, and data={config['data']} has none of its own; add "
                "data.validation=N"
            )
