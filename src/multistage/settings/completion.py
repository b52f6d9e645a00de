"""A run's configuration in full, and in the one form that it has however it was typed.

One run is one identity and one folder: whoever types what would be there anyway types nothing.
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
    """A configuration with what no file holds: what follows from images, settings of choices, what is ``auto``.

    Args:
        config: What was typed with what files say.
        defaults: What files say alone.

    Returns:
        The configuration, and what each key would be if it were not typed.
    """
    config, defaults = _follow_images(config, defaults)
    if config["geometry"] == "auto":
        fitted = automatic.geometry(config)
        config, defaults = {**config, **fitted, **config}, {**defaults, **fitted}  # what is typed stays
    config, defaults = _follow_number(config, defaults)
    read = parse(config).read
    spare = {key for key in config if key not in defaults and key not in read and is_default(key, config[key])}
    settings = [key for key in read if key not in defaults and option_of(key)]
    otherwise = {key: _otherwise(key, config) if key in config else read[key] for key in settings}
    defaults = {**defaults, **otherwise}
    config = {**config, **{key: read[key] for key in otherwise}}
    return {key: _number(key, config[key], defaults.get(key)) for key in config if key not in spare}, defaults


def _follow_images(config: Config, defaults: Config) -> tuple[Config, Config]:
    """`completed` as far as images decide; a folder of them has one spelling.

    Raises:
        ConfigError: What was typed does not fit them.
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
    """`completed` as far as ``trainer.max_epochs=auto`` goes, which follows the number of training images.

    Raises:
        ConfigError: A data set whose images are not counted before they are read.
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
    """A path with the home folder in place of ``~``; Hydra's words reach us as no shell has seen them."""
    try:
        return Path(config[key]).expanduser()
    except RuntimeError:
        raise ConfigError(f"{key}={config[key]} names a home folder that does not exist; type the folder") from None


def _otherwise(key: str, config: Config) -> Any:
    """What a setting of a choice would be if it were not typed."""
    return parse({name: value for name, value in config.items() if name != key}).read[key]


def _number(key: str, value: Any, default: Any) -> Any:
    """A number as its default is written, or else as a whole one where it is: 1.0 and 1 are the same."""
    if type(value) not in (int, float) or key.removeprefix("trainer.") in trainer.SHARES:
        return value
    if type(default) in (int, float) and value == default:
        return default
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def normal(config: Config, defaults: Config) -> Config:
    """A configuration that was checked, in the form that it has whatever was typed for it."""
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
    """The operation of all stages is the preset's if a stage has it, else the first one's; others say their own."""
    operations = {key: config.get(key, config[slot]) for key in own}
    common = preset if preset in operations.values() else next(iter(operations.values()))
    others = {key: value for key, value in operations.items() if value != common}
    return {**{key: value for key, value in config.items() if key not in own}, slot: common, **others}
