"""Hydra's composed files, with typed values, as a flat mapping from key to plain value.

Each choice of files is composed once; for each run of a sweep, only the typed values are set and resolved.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from multistage.registry.errors import ConfigError, one_line
from multistage.settings.config import REGISTRIES
from multistage.settings.tree import Config

GROUPS = ("model", "data", "geometry", "logger")
"""Groups whose choice is recorded as a value of its own, besides the keys below it."""

PLAIN = re.compile(r"\$\{(?:(\w[\w.]*)|oc\.env:[^${}]*)\}")
"""A value that is only a reference to one other key, or to an environment variable."""


@cache
def composed(conf: Path, choices: tuple[tuple[str, str], ...]) -> Config:
    """Compose the chosen files by Hydra; references to other keys (``${draw}``) are not resolved yet.

    Args:
        conf: The folder of the files, which Hydra has been told; results are remembered for each.
        choices: Groups and their files.
    """
    from hydra import compose
    from omegaconf import OmegaConf

    tree = compose("train", [f"{group}={name}" for group, name in choices], return_hydra_config=True)
    names = tree.hydra.runtime.choices
    contents = OmegaConf.to_container(OmegaConf.masked_copy(tree, [str(key) for key in tree if key != "hydra"]))
    config: dict[str, Any] = {}
    for key, content in contents.items():  # type: ignore[union-attr]
        if key in GROUPS:
            config[str(key)] = names[key]
        config |= _flatten(str(key), content)
    return config


def with_values(files: Config, overrides: Sequence[Any]) -> dict[str, Any]:
    """Set and resolve values.

    Args:
        files: From `composed`.
        overrides: Overrides of values (not of groups), parsed by Hydra, in order.

    Raises:
        ConfigError: A removed key that does not exist, or a reference to an unknown key.
    """
    config = dict(files)
    for override in overrides:
        key = override.key_or_group
        if not override.is_delete():
            _set(config, key, override.value())
        elif not _remove(config, key):
            raise ConfigError(f"{override.input_line} cannot be removed: there is no {key}; leave it out")
    return _resolved(config, overrides)


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    """Set a value, or each of a mapping's; a key has either a value or keys below it, unless it names a choice."""
    for above in (key[:at] for at, letter in enumerate(key) if letter == "."):
        if above in config and not _is_choice(above):
            del config[above]
    if isinstance(value, Mapping):
        config.pop(key, None)
        for name, inner in value.items():
            _set(config, f"{key}.{name}", inner)
    else:
        if key not in config and not _is_choice(key):
            _remove(config, key)
        config[key] = value


def _remove(config: dict[str, Any], key: str) -> bool:
    """Remove a key and those below it; return whether there were any."""
    found = [name for name in config if name == key or name.startswith(f"{key}.")]
    for name in found:
        del config[name]
    return bool(found)


def _is_choice(key: str) -> bool:
    return key in GROUPS or key in REGISTRIES


def _resolved(config: dict[str, Any], overrides: Sequence[Any]) -> dict[str, Any]:
    """Resolve references between values.

    Raises:
        ConfigError: A reference to an unknown key.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    found: dict[str, Any] = {}
    for key, value in config.items():
        if not isinstance(value, str | list) or "${" not in str(value):
            found[key] = value
            continue
        try:
            tree = OmegaConf.to_container(OmegaConf.create(_tree(_needed(key, value, config))), resolve=True)
        except OmegaConfBaseException as error:
            where = str(error.full_key)
            typed = next((o.input_line for o in overrides if where.startswith(o.key_or_group)), where)
            reason = one_line(error).partition(" full_key")[0]
            raise ConfigError(
                f"{typed} cannot be resolved ({reason}); expected a value, or ${{KEY}} with the key of another setting"
            ) from None
        for section, content in tree.items():  # type: ignore[union-attr]
            flat = _flatten(str(section), content).items()
            found |= {name: inner for name, inner in flat if name == key or name.startswith(f"{key}.")}
    return found


def _needed(key: str, value: Any, config: Config) -> Config:
    """Return what is needed to resolve a value: often one number or nothing, else the whole configuration."""
    plain = PLAIN.fullmatch(value) if isinstance(value, str) else None
    if plain is None or not (plain[1] is None or type(config.get(plain[1])) in (bool, int, float)):
        return config
    return {name: config[name] for name in (plain[1], key) if name}


def _tree(config: Config) -> dict[str, Any]:
    """Return a configuration as nested mappings, without choices that also have keys below them."""
    tree: dict[str, Any] = {}
    for key, value in config.items():
        *sections, name = key.split(".")
        inner: Any = tree
        for section in sections:
            if not isinstance(inner.get(section), dict):
                inner[section] = {}
            inner = inner[section]
        if key not in GROUPS:
            inner[name] = value
    return tree


def _flatten(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {k: v for name, inner in value.items() for k, v in _flatten(f"{key}.{name}", inner).items()}
    return {key: value}
