"""Complete and normalise a run's configuration, so that it does not depend on how it was typed.

Each run has one identity and one folder; typing a default changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multistage.registry.errors import ConfigError
from multistage.registry.rules import Value
from multistage.settings import automatic, optimizer, param_groups, trainer
from multistage.settings.config import OPERATIONS, is_default, option_of
from multistage.settings.tree import Config, data_of, parse


def completed(config: Config, defaults: Config) -> tuple[Config, Config]:
    """Add values that no file holds: those derived from images, settings of choices, ``auto``.

    Args:
        config: Values of files and of the command line.
        defaults: Values of files only.

    Returns:
        The configuration, and the default of each key.
    """
    config, defaults = _follow_images(config, defaults)
    if config["geometry"] == "auto":
        fitted = automatic.geometry(config)
        config, defaults = {**config, **fitted, **config}, {**defaults, **fitted}  # typed values stay
    config, defaults = _follow_number(config, defaults)
    read = parse(config).read
    spare = {key for key in config if key not in defaults and key not in read and is_default(key, config[key])}
    settings = [key for key in read if key not in defaults and option_of(key)]
    otherwise = {key: _otherwise(key, config) if key in config else read[key] for key in settings}
    defaults = {**defaults, **otherwise}
    config = {**config, **{key: read[key] for key in otherwise}}
    return {key: _number(key, config[key], defaults.get(key)) for key in config if key not in spare}, defaults


def _follow_images(config: Config, defaults: Config) -> tuple[Config, Config]:
    """Do the part of `completed` that depends on images; a folder of images gets one spelling.

    Raises:
        ConfigError: A typed value does not fit the images.
    """
    config = {**config, "output": str(_expanded("output", config))}
    if "data.root" in config:
        root = _expanded("data.root", config)
        config["data.root"] = str(root.resolve() if data_of(config).root_is_content else root)
    if config["data.train_per_class"] == "all":
        config["data.train_per_class"] = None
    fitted = data_of(config).fitted()
    for key, value in fitted.items():
        if config[key] not in (defaults[key], value):
            raise ConfigError(f"{key}={config[key]} does not fit the images, which have {value}; leave it out")
    otherwise = {key: data_of({**config, key: defaults[key]}).fitted()[key] for key in fitted}
    return {**config, **fitted}, {**defaults, **otherwise}


def _follow_number(config: Config, defaults: Config) -> tuple[Config, Config]:
    """Do the part of `completed` for ``trainer.max_epochs=auto``, which depends on the number of training images.

    Raises:
        ConfigError: The data set cannot count its images before reading them.
    """
    key = "trainer.max_epochs"
    if "auto" not in (config[key], defaults[key]):
        return config, defaults
    settings = parse(config)
    if key not in settings.read:
        return config, defaults
    images = settings.data.training_images(settings.draw)
    if images is None:
        uncounted = f"the images of data={config['data']} are not counted before they are read"
        raise ConfigError(f"{key}=auto follows the number of images, and {uncounted}; expected a whole number")
    fitting = automatic.epochs(images, settings.batch_size)
    config, defaults = ({**each, key: fitting} if each[key] == "auto" else each for each in (config, defaults))
    return config, defaults


def _expanded(key: str, config: Config) -> Path:
    """Expand ``~`` in a path; the shell does not expand it after KEY=."""
    try:
        return Path(config[key]).expanduser()
    except RuntimeError:
        raise ConfigError(f"{key}={config[key]} names a home folder that does not exist; type the folder") from None


def _otherwise(key: str, config: Config) -> Any:
    """Return the default of a setting of a choice."""
    return parse({name: value for name, value in config.items() if name != key}).read[key]


def _number(key: str, value: Any, default: Any) -> Any:
    """Write a number in the type of its default, or as an integer if it is whole: 1.0 and 1 are the same."""
    if type(value) not in (int, float) or key.removeprefix("trainer.") in trainer.SHARES:
        return value
    if type(default) in (int, float) and value == default:
        return default
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def normal(config: Config, defaults: Config) -> Config:
    """Return a checked configuration in its normal form."""
    settings = parse(config)
    stages = range(1, settings.stages + 1)
    for slot in OPERATIONS:
        pooled = slot != "model.pool" or settings.readout.pools_last(settings.stages)
        own = [slot.replace("model.", f"model.stage{number}.") for number in (stages if pooled else stages[:-1])]
        config = _operation(config, slot, own, defaults[slot])
    if not settings.readout.by_gradient:
        return config
    if not optimizer.has_schedule(config):
        config = {**config, "schedule": None}
    return param_groups.normal(optimizer.normal(config, defaults))


def _operation(config: Config, slot: str, own: Sequence[str], preset: Value) -> Config:
    """Normalise an operation: common is the preset's if any stage has it, else the first stage's."""
    operations = {key: config.get(key, config[slot]) for key in own}
    common = preset if preset in operations.values() else next(iter(operations.values()))
    others = {key: value for key, value in operations.items() if value != common}
    return {**{key: value for key, value in config.items() if key not in own}, slot: common, **others}
