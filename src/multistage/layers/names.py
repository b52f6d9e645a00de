"""Other names of the same: parameters have the field's, and those that this project began with stay valid."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def also_called(**names: str) -> Callable[[Function], Function]:
    """Let a function take parameters by other keywords too; a type checker sees the function's own.

    Args:
        names: From the other keyword to the parameter's name.

    Raises:
        TypeError: When the function is called with both.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def renamed(*arguments: Any, **keywords: Any) -> Any:
            for other, name in names.items():
                if other in keywords:
                    if name in keywords:
                        raise TypeError(f"{name} and {other} are the same: give one of the two")
                    keywords[name] = keywords.pop(other)
            return function(*arguments, **keywords)

        return renamed  # type: ignore[return-value]

    return decorate


def alias(name: str) -> property:
    """A readable attribute that is the attribute `name`."""
    return property(lambda self: getattr(self, name))
