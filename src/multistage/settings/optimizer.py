"""torch's optimisers and schedules from a configuration: the only place where a configuration names a class.

Only classes of `HOMES` can be named, so that no configuration can run other code.
"""

import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from multistage.registry.errors import ConfigError, UnreadError, one_line
from multistage.registry.rules import FLAG, number
from multistage.registry.words import nearest, shown
from multistage.settings.tree import Config, section

HOMES = {
    "optimizer": ("torch.optim", "Optimizer"),
    "schedule": ("torch.optim.lr_scheduler", "LRScheduler"),
    "callbacks": ("pytorch_lightning.callbacks", "Callback"),
}
"""Module and base class of the classes that each section can name."""

ANY_NUMBER = number(-1e9)

SCHEDULE_LENGTHS = ("total_steps", "T_max", "total_iters")
"""Arguments of torch's schedules for the total number of steps; `make` fills them in."""

FILLED_IN = ("max_lr", *SCHEDULE_LENGTHS)

CYCLES_MOMENTUM = ("OneCycleLR", "CyclicLR")
"""Schedules that change the optimiser's momentum, or its first beta, unless ``schedule.cycle_momentum=false``."""


def check(config: Config) -> None:
    """Refuse optimisers, schedules and arguments that torch does not have or accept.

    Raises:
        ConfigError: One line with the key.
    """
    check_class(config, "optimizer", ours="params")
    if has_schedule(config):
        check_class(config, "schedule", ours="optimizer", filled_in=FILLED_IN)
        for key in ("schedule.epochs", "schedule.steps_per_epoch"):
            if key in config:
                given = f"{key}={shown(config[key])} has no effect beside schedule.total_steps"
                raise UnreadError(key, f"{given}, which is filled in with the steps of the training; leave it out")
    if reason := refusal(config):
        raise _blame(config, reason)


def make(config: Config, parameters: Iterable[Any], steps: int) -> tuple[Any, Any]:
    """Make the optimiser of a configuration, and its schedule or None.

    Args:
        config: The run's configuration.
        parameters: Parameters to optimise, in one list or in groups (see `param_groups`).
        steps: Number of steps of the whole training.
    """
    arguments = section(config, "optimizer")
    optimizer = named_class("optimizer", arguments.pop("_target_"))(parameters, **arguments)
    if not has_schedule(config):
        return optimizer, None
    arguments = section(config, "schedule")
    kind = named_class("schedule", arguments.pop("_target_"))
    rates = [group["lr"] for group in optimizer.param_groups]
    filled_in: dict[str, Any] = dict.fromkeys(SCHEDULE_LENGTHS, steps)
    filled_in["max_lr"] = rates if len(rates) > 1 else rates[0]
    accepted = inspect.signature(kind).parameters
    return optimizer, kind(optimizer, **{k: v for k, v in filled_in.items() if k in accepted} | arguments)


def has_schedule(config: Config) -> bool:
    """Whether the learning rate has a schedule; not with ``schedule=null`` or ``~schedule``."""
    return bool(section(config, "schedule"))


def check_moved(config: Config, key: str) -> None:
    """Refuse an argument of the optimiser, or of a group of parameters, that the schedule overwrites during training.

    Raises:
        UnreadError: One line with the key.
    """
    argument = key.rpartition(".")[2]
    given = f"{key}={shown(config[key])} has no effect"
    kind = str(config.get("schedule._target_")).rpartition(".")[2]
    if argument in ("momentum", "betas") and kind in CYCLES_MOMENTUM and config.get("schedule.cycle_momentum", True):
        raise UnreadError(key, f"{given}, since {kind} moves it; add +schedule.cycle_momentum=false, or leave it out")
    if argument == "lr" and "schedule.max_lr" in config:
        raise UnreadError(key, f"{given} beside schedule.max_lr; leave one of them out")


def normal(config: Config, defaults: Config) -> Config:
    """Normalise a configuration: drop arguments at their class's default, restore removed ones.

    Args:
        config: The checked configuration of a run with gradient descent.
        defaults: The default of each key.
    """
    normal = dict(config)
    for key in {**defaults, **config}:
        section, _, name = key.rpartition(".")
        known = (key in config) == (key in defaults) or name in ("_target_", *FILLED_IN)
        if known or section.partition(".")[0] not in HOMES or f"{section}._target_" not in config:
            continue
        default = default_of(config, section, name)
        if default is inspect.Parameter.empty:
            continue
        if key not in config:
            normal[key] = default
        elif config[key] == default:
            del normal[key]
    return normal


def default_of(config: Config, prefix: str, argument: str) -> Any:
    """Return the default of an argument of the class that ``<prefix>._target_`` names; a tuple becomes a list.

    `inspect.Parameter.empty`: it has no default, or there is no such argument.
    """
    parameter = inspect.signature(named_class(prefix, config[f"{prefix}._target_"])).parameters.get(argument)
    default = inspect.Parameter.empty if parameter is None else parameter.default
    return list(default) if isinstance(default, tuple) else default


def refusal(config: Config) -> str | None:
    """Take one step with the optimiser and schedule; return torch's objection, if any."""
    import torch

    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    try:
        optimizer, schedule = make(config, [parameter], steps=2)
        optimizer.step()
        if schedule is not None:
            schedule.step()
    except Exception as error:
        return one_line(error)
    return None


def _blame(config: Config, reason: str) -> ConfigError:
    """Return an error that names the one setting that torch refuses, or else all of them."""
    settings = [key for key in config if key.startswith(("optimizer.", "schedule.")) and key != "optimizer.lr"]
    for key in settings:
        if not key.endswith("._target_") and refusal({k: v for k, v in config.items() if k != key}) is None:
            prefix, _, name = key.partition(".")
            default = default_of(config, prefix, name)
            other = "" if default is inspect.Parameter.empty else f", such as torch's default, {shown(default)}"
            return ConfigError(
                f"{key}={shown(config[key])} is not allowed: torch refuses it ({reason}); expected another value{other}"
            )
    given = ", ".join(f"{key}={shown(config[key])}" for key in settings)
    return ConfigError(
        f"torch refuses these settings together: {given} ({reason}); expected another _target_ or values"
    )


def check_class(config: Config, prefix: str, ours: str = "", filled_in: Sequence[str] = ()) -> None:
    """Refuse a class that ``<prefix>._target_`` must not name, and arguments that it does not have or lacks.

    Args:
        config: The run's configuration.
        prefix: ``optimizer``, ``schedule`` or ``callbacks.NAME``.
        ours: The argument that cannot be set.
        filled_in: Arguments that need not be set.

    Raises:
        ConfigError: Unknown class or argument, or a value of another kind than the default.
    """
    arguments = section(config, prefix)
    target = arguments.pop("_target_", None)
    accepted = inspect.signature(named_class(prefix, target)).parameters
    check_arguments(prefix, arguments, target, {name: p for name, p in accepted.items() if name != ours})
    for name, parameter in accepted.items():
        if parameter.default is parameter.empty and name not in (*arguments, ours, *filled_in, "args", "kwargs"):
            raise ConfigError(f"{target} needs {prefix}.{name}; add it with '+{prefix}.{name}=...'")


def check_arguments(
    prefix: str, arguments: Mapping[str, Any], target: Any, accepted: Mapping[str, inspect.Parameter]
) -> None:
    """Refuse unknown arguments, and values of another kind than the default.

    Args:
        prefix: The prefix of their keys.
        arguments: Values by name.
        target: The class.
        accepted: Its arguments that can be set.

    Raises:
        ConfigError: One line with the key.
    """
    for name, value in arguments.items():
        if name not in accepted:
            raise UnreadError(
                f"{prefix}.{name}",
                f"{prefix}.{name}={shown(value)} is not an argument of {target}; remove it with '~{prefix}.{name}'"
                f"{nearest(name, accepted)}",
            )
        default = accepted[name].default
        rule = FLAG if isinstance(default, bool) else ANY_NUMBER if isinstance(default, int | float) else None
        if rule is not None and not rule.accepts(value):
            raise ConfigError(
                f"{prefix}.{name}={shown(value)} is not allowed; expected {rule.allowed} (the default is "
                f"{shown(default)})"
            )


def named_class(key: str, target: Any) -> type:
    """Return the class that ``<key>._target_`` names; it must be in `HOMES`, so that no configuration runs other code.

    Raises:
        ConfigError: Any other class.
    """
    module, base = HOMES[key.partition(".")[0]]
    classes = _classes(module, base)
    name = str(target).removeprefix(module + ".")
    if target != f"{module}.{name}" or name not in classes:
        last = name.rpartition(".")[2].lower()
        same = [known for known in classes if known.lower() == last]
        hint = f"; type {key}._target_={module}.{same[0]}" if same else nearest(last, classes)
        raise ConfigError(f"{key}._target_={shown(target)} is not allowed; expected a class of {module}{hint}")
    return classes[name]


@cache
def _classes(module: str, base: str) -> dict[str, type]:
    """Return the classes of a module that share a base class, by name."""
    home = importlib.import_module(module)
    known = {name: found for name, found in vars(home).items() if inspect.isclass(found) and name != base}
    return {name: found for name, found in known.items() if issubclass(found, getattr(home, base))}
