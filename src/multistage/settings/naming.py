"""What a run is called: its folder, and the command line that repeats it.

    <output>/<name>/<data>/<model>/<stages>/<filters>[-refined]/<readout>/draw-<n>-seed-<m>[-<override>...]/

A folder says what the run is, never when it ran.
"""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from multistage.data import data_sets
from multistage.registry.words import as_typed, listing
from multistage.settings.config import OPEN_SECTIONS, bears_on_result
from multistage.settings.tree import Config, Settings

IN_PATH = ("data", "model", "stages", "filters", "refine", "readout", "draw", "seed")


class Run(NamedTuple):
    """A run that was checked.

    Attributes:
        config: What it does, flat, as it is recorded.
        settings: The same, as typed settings.
        folder: Where it leaves its results.
        overrides: The command line that repeats it: only what differs from the defaults.
        whereabouts: What is typed beside it to read, run and write in the same places.
    """

    config: Config
    settings: Settings
    folder: Path
    overrides: list[str]
    whereabouts: list[str]


def cell(config: Config) -> str:
    """Which run it is, apart from overrides: the folder below ``<output>/<name>``."""
    filters = f"{config['filters']}-refined" if config["refine"] else config["filters"]
    draw = f"draw-{config['draw']}-seed-{config['seed']}"
    return f"{config['data']}/{config['model']}/{config['stages']}/{filters}/{config['readout']}/{draw}"


def name(config: Config, folder: Path) -> str:
    """Which run it is, overrides included: its folder below ``<output>/<name>``."""
    return folder.relative_to(Path(config["output"]) / config["name"]).as_posix()


def overridden(config: Config, defaults: Config) -> list[str]:
    """Keys that bear on the result, differ from the defaults and are not already part of `cell`."""
    removed = [key for key in defaults if key not in config and key.rpartition(".")[0] not in config]
    added = sorted(key for key in config if key not in defaults)  # whatever the order in which they were typed
    return [
        key
        for key in (*(key for key in config if key in defaults), *added, *removed)
        if bears_on_result(key) and key not in IN_PATH and config.get(key, "absent") != defaults.get(key, "absent")
    ]


def shortest_overrides(config: Config, defaults: Config, bare: Config) -> list[str]:
    """The shortest command line that gives this configuration.

    Args:
        config: The run's configuration.
        defaults: The configuration with the same choice of files and nothing else set.
        bare: The configuration with nothing typed at all.
    """
    typed = [f"{key}={as_typed(config[key])}" for key in IN_PATH if config[key] != bare[key]]
    for key in overridden(config, defaults):
        if key not in config:
            typed.append(f"~{key}")
        else:
            is_open = key.partition(".")[0] in OPEN_SECTIONS
            new = is_open and key not in defaults and not any(name.startswith(f"{key}.") for name in defaults)
            typed.append(f"{'+' if new else ''}{key}={as_typed(config[key])}")
    return typed + ([f"data.root={as_typed(config['data.root'])}"] if data_sets[config["data"]].root_is_content else [])


def whereabouts(config: Config, bare: Config) -> list[str]:
    """Settings without bearing on the result that are not the defaults, as they are typed.

    Args:
        config: The run's configuration.
        bare: The configuration with nothing typed at all.
    """
    keys = ("name", "output", "data.root", "trainer.accelerator", "logger")
    return [f"{key}={as_typed(config[key])}" for key in keys if config[key] != bare[key]]


def folder(config: Config, defaults: Config) -> Path:
    """The run's folder.

    Args:
        config: The run's configuration.
        defaults: The configuration without overrides: what differs from it and bears on the result is appended to the
            folder's name, so that two different runs never share one.
    """
    changed = overridden(config, defaults)
    if data_sets[config["data"]].root_is_content:
        changed.append("data.root")
    suffix = "".join(f"-{_short(key, {**defaults, **config})}-{listing([config.get(key)])}" for key in changed)
    raw, suffix = suffix, re.sub(r"[^A-Za-z0-9_.+-]", "_", suffix)
    if data_sets[config["data"]].root_is_content:  # two folders that read alike are two sets of images
        suffix += f"-{hashlib.sha256(raw.encode()).hexdigest()[:8]}"
    if len(suffix) > 180:  # names of files end at 255 bytes
        suffix = f"{suffix[:160]}-{hashlib.sha256(suffix.encode()).hexdigest()[:12]}"
    path = Path(config["output"]) / config["name"] / cell(config)
    return path.with_name(path.name + suffix)


def _short(key: str, keys: Config) -> str:
    """The last parts of a key, as many as it takes to be the only one: ``lr`` for ``optimizer.lr``."""
    parts = key.split(".")
    for count in range(1, len(parts)):
        tail = ".".join(parts[-count:])
        if sum(other == tail or other.endswith(f".{tail}") for other in keys) == 1:
            return tail
    return key
