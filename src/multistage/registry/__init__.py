"""Choices: frozen dataclasses, each in one file, found by the name that is typed; and how a wrong choice is refused.

    rectifications = Registry("model.rectify", "multistage.operations.rectify")

    @rectifications.register("leaky_relu", section="leaky_relu")
    @dataclass(frozen=True)
    class LeakyReLU(Rectification):
        slope: float = setting(0.01, number(0, 1))

The fields of a choice are its settings, typed as ``leaky_relu.slope=0.1``; all that is said of settings (what is
allowed, what has no effect, what a cache must tell apart) is read from them. Nothing here imports torch, and choices
import it where they use it, so that a wrong name is refused at once. The lowest room: imports no other.
"""

import dataclasses
import hashlib
import importlib
import json
import pkgutil
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
    """What a registry holds: its fields are settings.

    Attributes:
        name: As it is typed.
        section: What stands before its settings' names; "" for one without settings.
    """

    name: ClassVar[str]
    section: ClassVar[str] = ""


T = TypeVar("T", bound=Choice)


class Registry(Mapping[str, type[T]], Generic[T]):
    """The choices of one kind by name, those of the paper first.

    Args:
        key: What is typed to choose, such as ``readout``.
        package: Its modules register their choices when somebody first asks for one.
    """

    def __init__(self, key: str, package: str) -> None:
        self.key, self.package = key, package
        self._found: dict[str, tuple[int, type[T]]] = {}
        self._complete = False

    def register(self, name: str, section: str | None = None, rank: int = 100) -> Callable[[type[T]], type[T]]:
        """Class decorator.

        Args:
            name: As it is typed.
            section: What stands before the names of its settings; None: what its class has.
            rank: Its place among the others; equals are sorted by name. Of two, the later one counts as the change.
        """

        def add(choice: type[T]) -> type[T]:
            if name in self._found:
                raise ValueError(f"{self.key}={name} is registered twice")
            choice.name = name
            choice.section = choice.section if section is None else section
            self._found[name] = rank, choice
            return choice

        return add

    def choose(self, name: object) -> type[T]:
        """The choice of a name.

        Raises:
            ConfigError: There is none; names those that there are, and the nearest.
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
                importlib.import_module(f"{self.package}.{module.name}")
            self._complete = True  # not before: a module that fails would leave a part that looks whole


def setting(default: Any, rule: Rule | None = None, bears: bool = True, per_stage: bool = False) -> Any:
    """A field of a choice.

    Args:
        default: Its value where none is given.
        rule: What it may hold; None: what its type says.
        bears: Whether a run with another value is another run.
        per_stage: A tuple with a value for each stage, typed as ``section.stage1.name``; a stage without one has that
            of the stage before.
    """
    return dataclasses.field(default=default, metadata={"rule": rule, "bears": bears, "per_stage": per_stage})


def settings_of(choice: type) -> dict[str, Rule]:
    """The settings of a dataclass and what each may hold, by the rules or types of its fields."""
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
    """SHA-256 of dataclasses and plain values: every field of every one of them, and which class it is."""
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
