"""Groups of parameters with their own optimiser arguments, torch's ``param_groups``.

    +param_groups.head.params=[classifier] +param_groups.head.lr=0.1

``params`` lists parts of parameter names as in weights.safetensors, such as stages.0, gain or stages.1.filter_bank;
``1d`` means all one-dimensional parameters. Parameters in no group use the arguments of ``optimizer``.
"""

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from multistage.registry.errors import ConfigError
from multistage.registry.words import as_typed, listing, nearest, shown
from multistage.settings import optimizer
from multistage.settings.tree import Config, Settings, section

if TYPE_CHECKING:
    from torch.nn import Parameter

PREFIX, ONE_DIMENSIONAL = "param_groups", "1d"


def groups(config: Config) -> dict[str, dict[str, Any]]:
    """Return the groups of a configuration by name, in alphabetical order: ``params`` and arguments of each.

    Raises:
        ConfigError: A malformed key, or a group without parameters.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, value in sorted(section(config, PREFIX).items()):
        name, _, argument = key.partition(".")
        if not argument or "." in argument:
            raise ConfigError(
                f"{PREFIX}.{key}={shown(value)} is not allowed; expected {PREFIX}.NAME.params=[...] and, beside it, "
                f"arguments of the optimiser, as in {PREFIX}.NAME.lr=0.01"
            )
        found.setdefault(name, {})[argument] = value
    for name, group in found.items():
        parts = group.get("params")
        if not (isinstance(parts, list) and parts and all(isinstance(part, str) and part for part in parts)):
            given = f"={shown(parts)} is not allowed" if "params" in group else " has no value"
            raise ConfigError(
                f"{PREFIX}.{name}.params{given}; expected a list of parts of names, as in "
                f"'+{PREFIX}.{name}.params=[classifier]'"
            )
    return found


def split(config: Config, named: Iterable[tuple[str, "Parameter"]]) -> list[Any]:
    """Return torch's optimiser input: one list of parameters, or a mapping for the rest and for each group."""
    parameters = dict(named)
    found = groups(config)
    if not found:
        return list(parameters.values())
    owner = owners(found, {name: parameter.ndim for name, parameter in parameters.items()})
    made: list[dict[str, Any]] = [{"params": [p for name, p in parameters.items() if name not in owner]}]
    for name, group in found.items():
        mine = [parameter for key, parameter in parameters.items() if owner.get(key) == name]
        made.append({**group, "params": mine, "name": name})  # LearningRateMonitor shows the name
    return [group for group in made if group["params"]]


def still(config: Config, named: Iterable[tuple[str, "Parameter"]]) -> list["Parameter"]:
    """Return the parameters of groups with ``lr=0``, which do not change."""
    parameters = dict(named)
    found = {name: group for name, group in groups(config).items() if group.get("lr") == 0}
    owner = owners(found, {name: parameter.ndim for name, parameter in parameters.items()})
    return [parameters[name] for name in owner]


def owners(found: Mapping[str, Mapping[str, Any]], dimensions: Mapping[str, int]) -> dict[str, str]:
    """Return the group of each parameter, by name; those without a group are left out.

    Args:
        found: From `groups`.
        dimensions: Number of dimensions of each parameter, by name.

    Raises:
        ConfigError: A part that is in no name, or two groups with the same parameter.
    """
    owner: dict[str, str] = {}
    for group, content in found.items():
        for part in content["params"]:
            mine = [name for name, count in dimensions.items() if _is_part(part, name, count)]
            if not mine:
                known = _parts(dimensions)
                raise ConfigError(
                    f"{PREFIX}.{group}.params={as_typed(content['params'])}: {shown(part)} is part of no parameter's "
                    f"name; expected some of {listing(known)}{nearest(part, known)}"
                )
            for name in mine:
                if owner.setdefault(name, group) != group:
                    raise ConfigError(
                        f"{PREFIX}.{owner[name]}.params and {PREFIX}.{group}.params both have {name}; expected groups "
                        "that share no parameter"
                    )
    return owner


def check(config: Config, settings: Settings) -> None:
    """Refuse groups that match nothing or overlap, and arguments that torch refuses or a schedule overwrites.

    Args:
        config: The configuration of a run with gradient descent.
        settings: The same, parsed.

    Raises:
        ConfigError: One line with the key.
    """
    found = groups(config)
    if not found:
        return
    target = config["optimizer._target_"]
    accepted = inspect.signature(optimizer.named_class("optimizer", target)).parameters
    for name, group in found.items():
        arguments = {argument: value for argument, value in group.items() if argument != "params"}
        optimizer.check_arguments(f"{PREFIX}.{name}", arguments, target, accepted)
        for argument, value in arguments.items():
            key = f"{PREFIX}.{name}.{argument}"
            optimizer.check_moved(config, key)
            if reason := optimizer.refusal({**config, f"optimizer.{argument}": value}):
                raise ConfigError(
                    f"{key}={shown(value)} is not allowed: torch refuses it ({reason}); expected what "
                    f"optimizer.{argument} may be"
                )
    owners(found, _dimensions(settings))


def normal(config: Config) -> Config:
    """Normalise the groups of a configuration: drop arguments that equal the optimiser's."""
    found = groups(config)
    if not found:
        return config
    kept: dict[str, Any] = {key: value for key, value in config.items() if not key.startswith(f"{PREFIX}.")}
    for name, group in found.items():
        differing = {
            argument: value
            for argument, value in group.items()
            if argument != "params"
            and value != config.get(f"optimizer.{argument}", optimizer.default_of(config, "optimizer", argument))
        }
        if differing:
            differing["params"] = sorted(set(group["params"]))
        kept |= {f"{PREFIX}.{name}.{argument}": value for argument, value in differing.items()}
    return kept


def _is_part(part: str, name: str, dimensions: int) -> bool:
    return dimensions <= 1 if part == ONE_DIMENSIONAL else f".{part}." in f".{name}."


def _parts(names: Iterable[str]) -> list[str]:
    """Return the parts of names that can be typed: stages.0, filter_bank, ..."""
    found: dict[str, None] = {}
    for name in names:
        before = ""
        for part in name.split("."):
            if part.isdigit():
                found[f"{before}.{part}"] = None
            else:
                found[part] = None
            before = part
    return [*found, ONE_DIMENSIONAL]


def _dimensions(settings: Settings) -> dict[str, int]:
    """Return the number of dimensions of each trained parameter, from a network on the meta device."""
    import torch

    from multistage.network.net import MultiStageNet

    with torch.device("meta"):
        net = MultiStageNet(*settings.network(classes=2))
    return {
        name: parameter.ndim
        for name, parameter in net.named_parameters()
        if settings.refine or name.startswith("classifier.")
    }
