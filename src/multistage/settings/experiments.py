"""Experiments: files of conf/experiment, each a list of grids of runs.

experiment("ablation", ["draw=0"])     what would be typed for each of its runs
"""

from collections.abc import Sequence
from typing import Any

from multistage.registry.errors import ConfigError
from multistage.registry.words import key_of, listing, nearest
from multistage.settings import composition, yaml_files
from multistage.settings.composition import expand, names


def experiment(name: str, overrides: Sequence[str]) -> list[list[str]]:
    """Return the runs of an experiment, grid by grid; further settings replace those of its grids.

    Args:
        name: Name of a file in conf/experiment. It has ``grids``, a list of mappings from key to values as typed after
            -m; or ``parts``, a list of other experiments, which come first; or both; and optionally ``name``, the
            folder of its runs (default: its own name). The runs of a part keep the folder of that part.
        overrides: Further settings, for every grid.

    Raises:
        ConfigError: Unknown experiment, or a file without lists of grids or parts.
    """
    typed = {key_of(o): o for o in overrides}
    jobs = []
    for grid in _grids(name, ()):
        settings = {**grid, "experiment": name}
        line = [f"{key}={_alternatives(values)}" for key, values in settings.items() if key not in typed]
        jobs += expand([*line, *typed.values()])
    return jobs


def _grids(name: str, wholes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the grids of an experiment, those of its parts first, each with the folder of its runs as ``name``.

    Args:
        name: Name of a file in conf/experiment.
        wholes: Experiments that contain it, outermost first.

    Raises:
        ConfigError: As for `experiment`.
    """
    known = names("experiment")
    if name not in known:
        where = f"part {name} of {wholes[-1]}.yaml" if wholes else f"experiment={name}"
        raise ConfigError(f"{where} does not exist; expected one of {', '.join(known)}{nearest(name, known)}")
    if name in wholes:
        raise ConfigError(f"{' -> '.join((*wholes, name))}: an experiment cannot be a part of itself; leave it out")
    file = composition.CONF / "experiment" / f"{name}.yaml"
    content = yaml_files.content(file)
    content = content if isinstance(content, dict) else {}
    grids, parts = content.get("grids", []), content.get("parts", [])
    lists = isinstance(grids, list) and isinstance(parts, list) and (grids or parts)
    if not lists or not all(isinstance(g, dict) for g in grids) or not all(isinstance(p, str) for p in parts):
        raise ConfigError(
            f"{file} has no list of grids; expected 'grids:' and below it '- key: values' for each, "
            "or 'parts: [EXPERIMENT, ...]'"
        )
    found = [grid for part in parts for grid in _grids(part, (*wholes, name))]
    return found + [{"name": content.get("name", name), **grid} for grid in grids]


def _alternatives(values: Any) -> str:
    """Write a grid's values of a key as typed after -m: one value, a Hydra function, or several values or lists."""
    return ",".join(listing([value]) for value in (values if isinstance(values, list) else [values]))
