"""torch's optimisers and schedules by configuration: the only place where a configuration names a class.

Only classes of `torch.optim` and `torch.optim.lr_scheduler` can be named, so that no configuration can run other code.
"""

import importlib
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from multistage.config import Config, listing, nearest, section
from multistage.errors import ConfigError, one_line

SCHEDULE_LENGTHS = ("total_steps", "T_max", "total_iters")
"""Arguments of torch's schedules that mean the number of steps of the whole training; filled in by `training`."""


def check(config: Config) -> None:
    """Refuse optimisers and schedules that torch does not have or does not accept.

    Raises:
        ConfigError: One line with the key.
    """
    _check_torch_class(config, "optimizer", "torch.optim", ours="params")
    if has_schedule(config):
        filled_in = ("max_lr", *SCHEDULE_LENGTHS)
        _check_torch_class(config, "schedule", "torch.optim.lr_scheduler", ours="optimizer", filled_in=filled_in)
    _try(config)


def make(config: Config, parameters: Iterable[Any], steps: int) -> tuple[Any, Any]:
    """The optimiser of a configuration, and its schedule or None.

    Args:
        config: The run's configuration.
        parameters: What it optimises.
        steps: Of the whole training.
    """
    arguments = section(config, "optimizer")
    optimizer = torch_class("optimizer", arguments.pop("_target_"), "torch.optim")(parameters, **arguments)
    if not has_schedule(config):
        return optimizer, None
    arguments = section(config, "schedule")
    kind = torch_class("schedule", arguments.pop("_target_"), "torch.optim.lr_scheduler")
    filled_in = dict.fromkeys(SCHEDULE_LENGTHS, steps) | {"max_lr": config["optimizer.lr"]}
    accepted = inspect.signature(kind).parameters
    return optimizer, kind(optimizer, **{k: v for k, v in filled_in.items() if k in accepted} | arguments)


def has_schedule(config: Config) -> bool:
    """Whether the learning rate changes while training; not with ``schedule=null`` or ``~schedule``."""
    return bool(section(config, "schedule"))


def _try(config: Config) -> None:
    """Take one step with the optimiser and schedule, so that what torch refuses is refused now."""
    import torch

    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    try:
        optimizer, schedule = make(config, [parameter], steps=2)
        optimizer.step()
        if schedule is not None:
            schedule.step()
    except Exception as error:
        raise ConfigError(f"torch refuses these settings of optimizer and schedule: {one_line(error)}") from None


def _check_torch_class(config: Config, prefix: str, module: str, ours: str, filled_in: Sequence[str] = ()) -> None:
    arguments = section(config, prefix)
    target = arguments.pop("_target_", None)
    accepted = inspect.signature(torch_class(prefix, target, module)).parameters
    for name in arguments:
        if name not in accepted or name == ours:
            raise ConfigError(
                f"{prefix}.{name} is no argument of {target}; remove it with '~{prefix}.{name}'"
                f"{nearest(name, accepted)}"
            )
    for name, parameter in accepted.items():
        if parameter.default is parameter.empty and name not in (*arguments, ours, *filled_in, "args", "kwargs"):
            raise ConfigError(f"{target} needs {prefix}.{name}; add it with '+{prefix}.{name}=...'")


def torch_class(key: str, target: Any, module: str) -> type:
    """The class that ``<key>._target_`` names; only those of `module`, so that no configuration can run other code."""
    home = importlib.import_module(module)
    classes = {name: c for name, c in vars(home).items() if inspect.isclass(c) and not name.startswith("_")}
    name = str(target).removeprefix(module + ".")
    if target != f"{module}.{name}" or name not in classes:
        hint = nearest(name.rpartition(".")[2], classes)
        raise ConfigError(f"{key}._target_={listing([target])} is not allowed; expected a class of {module}{hint}")
    return classes[name]
