"""Registries of choices: frozen dataclasses, one per file, selected by name; an unknown name is refused.

    rectifications = Registry("model.rectify", "multistage.operations.rectify")

    @rectifications.register("leaky_relu", section="leaky_relu")
    @dataclass(frozen=True)
    class LeakyReLU(Rectification):
        slope: float = setting(0.01, number(0, 1))

The fields of a choice are its settings, typed as ``leaky_relu.slope=0.1``. Everything about a setting is derived from
its field: allowed values, whether it has an effect, cache keys. Nothing here imports torch, and choices import it only
where they use it, so a wrong name is refused immediately. This is the lowest room: it imports no other.
"""

import dataclasses
import hashlib
import importlib
import json
import pkgutil
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import Any, ClassVar, Generic, Literal, TypeVar

from multistage.registry.errors import ConfigError
from multistage.registry.rules import FLAG, NOTHING, Rule, Value, either, number, one_of, text, whole
from multistage.registry.words import nearest, shown

__all__ = ["Choice", "Registry", "digest", "setting", "settings_of"]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Base class of what a registry holds; its fields are settings.

    Attributes:
        name: The name that is typed.
        section: The prefix of its settings' names; "" without settings. A normalisation's module has this name, or else
            the choice's.
    """

    name: ClassVar[str]
    section: ClassVar[str] = ""


T = TypeVar("T", bound=Choice)


class Registry(Mapping[str, type[T]], Generic[T]):
    """The choices of one kind by name, those of the paper first.

    Args:
        key: What is typed to choose, such as ``readout``.
        package: Package of the choices; imported on first use, when its modules register themselves.
    """

    def __init__(self, key: str, package: str) -> None:
        self.key, self.package = key, package
        self._found: dict[str, tuple[int, type[T]]] = {}
        self._complete = False

    def register(self, name: str, section: str | None = None, rank: int = 100) -> Callable[[type[T]], type[T]]:
        """Register a choice (class decorator).

        Args:
            name: The name that is typed.
            section: The prefix of its settings' names; None: the class's own.
            rank: Sort key; equal ranks are sorted by name. In a comparison of two, the later one counts as the change.

        Raises:
            ValueError: The name is taken.
            TypeError: Not a dataclass, or settings without a section.
        """

        def add(choice: type[T]) -> type[T]:
            if name in self._found:
                raise ValueError(f"{self.key}={name} is registered twice")
            if "__dataclass_fields__" not in vars(choice):
                raise TypeError(
                    f"{choice.__name__} is not a dataclass; expected @dataclass(frozen=True) below @register"
                )
            choice.name = name
            choice.section = choice.section if section is None else section
            if dataclasses.fields(choice) and not choice.section:
                field = dataclasses.fields(choice)[0].name
                raise TypeError(
                    f"{self.key}={name} has settings and no section; expected register({name!r}, section=SECTION), "
                    f"so that {field} is typed as SECTION.{field}"
                )
            self._found[name] = rank, choice
            return choice

        return add

    def choose(self, name: object) -> type[T]:
        """Return the choice of this name.

        Raises:
            ConfigError: Unknown name; the message lists all names and the nearest.
        """
        self._discover()
        if not isinstance(name, str) or name not in self._found:
            hint = nearest(name, self) if isinstance(name, str) else ""
            raise ConfigError(f"{self.key}={shown(name)} is not allowed; expected one of {', '.join(self)}{hint}")
        return self._found[name][1]

    def __getitem__(self, name: str) -> type[T]:
        self._discover()
        return self._found[name][1]

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._found, key=lambda name: (self._found[name][0], name)))

    def __len__(self) -> int:
        self._discover()
        return len(self._found)

    def _discover(self) -> None:
        if not self._complete:
            for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__):
                path, before = f"{self.package}.{module.name}", len(self._found)
                fresh = path not in sys.modules  # others were imported by the file before, and are known
                importlib.import_module(path)
                if fresh and len(self._found) == before and not module.name.startswith("_"):
                    del sys.modules[path]
                    raise TypeError(f"{path} registers nothing; expected .register(NAME) above its class")
            self._complete = True  # only after all imports: if one fails, the registry must not look complete


def setting(default: Any, rule: Rule | None = None, bears: bool = True, per_stage: bool = False) -> Any:
    """Declare a setting: a dataclass field of a choice.

    Args:
        default: The default value.
        rule: Allowed values; None: those of its type.
        bears: Whether a run with another value is a different run.
        per_stage: The value is a tuple, one for each stage, typed as ``section.stage1.name``; a stage without a value
            uses that of the stage before.

    Raises:
        ValueError: The rule does not allow the default.
    """
    if rule is not None and not all(map(rule.accepts, default if per_stage else (default,))):
        raise ValueError(f"default {shown(default)} is not allowed; expected {rule.allowed}")
    return dataclasses.field(default=default, metadata={"rule": rule, "bears": bears, "per_stage": per_stage})


def settings_of(choice: type) -> dict[str, Rule]:
    """Return the settings of a dataclass and the rule of each, from the rules or types of its fields."""
    hints = typing.get_type_hints(choice)
    return {field.name: field.metadata.get("rule") or _rule(hints[field.name]) for field in dataclasses.fields(choice)}


def _rule(hint: Any) -> Rule:
    plain = {bool: FLAG, int: whole(-(10**9)), float: number(-1e9), str: text(), type(None): NOTHING}
    if hint in plain:
        return plain[hint]
    if typing.get_origin(hint) is Literal:
        return one_of(*typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, UnionType) and len(typing.get_args(hint)) == 2:
        return either(*map(_rule, typing.get_args(hint)))
    raise TypeError(f"a setting cannot be {hint}; give its field a rule")


def digest(*specification: object) -> str:
    """Return the SHA-256 of dataclasses (class and all fields) and plain values."""
    return hashlib.sha256(json.dumps(_plain(specification), sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"": f"{type(value).__module__}.{type(value).__qualname__}", **fields}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Value):
        return value
    raise TypeError(f"a specification holds plain values, not {type(value).__name__}")
