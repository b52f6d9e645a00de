"""Names of a run: its folder, and the command line that repeats it.

    <output>/<name>/<data>/<model>/<stages>/<filters>[-refined]/<readout>/draw-<n>-seed-<m>[-<override>...]/

A folder says what the run is, never when it ran. It lists the settings of `Settings.bearing` that differ from the
defaults, so two runs share a folder exactly if they are the same run.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from multistage.data import data_sets
from multistage.registry.words import as_typed, listing
from multistage.settings.tree import TRAINED, Config, Settings

IN_PATH = ("data", "model", "stages", "filters", "refine", "readout", "draw", "seed")

WHEREABOUTS = ("name", "output", "data.root", "trainer.accelerator", "logger")


class Run(NamedTuple):
    """A checked run.

    Attributes:
        config: Its flat configuration, as recorded.
        settings: The same, parsed.
        folder: Folder of its results.
        overrides: The command line that repeats it: settings that differ from the defaults.
        whereabouts: Further settings that read, run and write in the same places.
    """

    config: Config
    settings: Settings
    folder: Path
    overrides: list[str]
    whereabouts: list[str]


def cell(config: Config) -> str:
    """Return the run's folder below ``<output>/<name>``, without overrides."""
    filters = f"{config['filters']}-refined" if config["refine"] else config["filters"]
    draw = f"draw-{config['draw']}-seed-{config['seed']}"
    return f"{config['data']}/{config['model']}/{config['stages']}/{filters}/{config['readout']}/{draw}"


def name(config: Config, folder: Path) -> str:
    """Return the run's folder below ``<output>/<name>``, with overrides."""
    return folder.relative_to(Path(config["output"]) / config["name"]).as_posix()


def changed(config: Config, defaults: Config) -> list[str]:
    """Return the keys whose values are not the defaults, in a fixed order."""
    removed = [key for key in defaults if key not in config and key.rpartition(".")[0] not in config]
    there = [key for key in defaults if key in config]
    keys = (*there, *sorted(config.keys() - defaults.keys()), *removed)
    return [key for key in keys if config.get(key, "absent") != defaults.get(key, "absent")]


@dataclass(frozen=True)
class Names:
    """The names of a run.

    Args:
        config: The run's configuration.
        settings: The same, parsed.
        defaults: The default of each key, with the same choice of files.
        bare: The configuration of an empty command line.
    """

    config: Config
    settings: Settings
    defaults: Config
    bare: Config

    @cached_property
    def overridden(self) -> list[str]:
        """Return keys that affect the result, differ from the defaults and are not part of `cell`."""
        bearing = self.settings.bearing
        return [
            key
            for key in changed(self.config, self.defaults)
            if key not in IN_PATH and (key in bearing or key not in self.config)
        ]

    @property
    def folder(self) -> Path:
        """Return the run's folder; two different runs never share one."""
        keys = list(self.overridden)
        root_is_content = data_sets[self.config["data"]].root_is_content
        if root_is_content:
            keys.append("data.root")
        raw = "".join(map(self._part, keys))
        suffix = re.sub(r"[^A-Za-z0-9_.+-]", "_", raw)
        if root_is_content:  # two folders may look alike after escaping
            suffix += f"-{hashlib.sha256(raw.encode()).hexdigest()[:8]}"
        if len(suffix) > 180:  # file names have at most 255 bytes
            suffix = f"{suffix[:160]}-{hashlib.sha256(suffix.encode()).hexdigest()[:12]}"
        path = Path(self.config["output"]) / self.config["name"] / cell(self.config)
        return path.with_name(path.name + suffix)

    @property
    def overrides(self) -> list[str]:
        """Return the shortest command line that gives this configuration."""
        typed = [self._typed(key) for key in IN_PATH if self.config[key] != self.bare[key]]
        typed += map(self._override, self.overridden)
        if data_sets[self.config["data"]].root_is_content:
            typed.append(self._typed("data.root"))
        return typed

    @property
    def whereabouts(self) -> list[str]:
        """Return settings that do not affect the result and are not the defaults, as they are typed."""
        read, bearing = self.settings.read, self.settings.bearing
        differing = [key for key in WHEREABOUTS if self.config.get(key) != self.bare.get(key)]
        idle = [key for key in changed(self.config, self.defaults) if key in read and key not in bearing]
        typed = map(self._override, dict.fromkeys([*differing, *idle]))
        return [word for word in typed if word not in self.overrides]

    def _override(self, key: str) -> str:
        """Return what to type for a key's value, or for its removal."""
        if key not in self.config:
            return f"~{key}"
        known = any(name == key or name.startswith(f"{key}.") for name in self.defaults)
        added = key.partition(".")[0] in TRAINED and not known
        return f"{'+' if added else ''}{self._typed(key)}"

    def _typed(self, key: str) -> str:
        return f"{key}={as_typed(self.config[key])}"

    def _part(self, key: str) -> str:
        """Return the part of the folder's name for a key; a class is named without its module.

        The class of an optimiser is named in full, as in the folders of published runs.
        """
        value = listing([self.config.get(key)])
        section, _, last = key.rpartition(".")
        if last == "_target_" and section != "optimizer":
            return f"-{section.rpartition('.')[2]}-{value.rpartition('.')[2]}"
        return f"-{self._short(key)}-{value}"

    def _short(self, key: str) -> str:
        """Return the shortest unique end of a key: ``lr`` for ``optimizer.lr``."""
        parts = key.split(".")
        keys = {name for name in (*self.defaults, *self.settings.bearing) if not name.startswith("logger.")}
        for count in range(2 if parts[0] == "param_groups" else 1, len(parts)):
            tail = ".".join(parts[-count:])
            if sum(other == tail or other.endswith(f".{tail}") for other in keys) == 1:
                return tail
        return key
