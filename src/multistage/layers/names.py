"""Aliases: parameters have the field's names, and this project's older names stay valid."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def also_called(**names: str) -> Callable[[Function], Function]:
    """Let a function accept aliases of its keywords (decorator); type checkers see the function's own.

    Args:
        names: From the alias to the parameter's name.

    Raises:
        TypeError: A call uses both.
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
    """Make a read-only alias of the attribute `name`."""
    return property(lambda self: getattr(self, name))
