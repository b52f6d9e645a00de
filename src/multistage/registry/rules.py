"""Rules for the values of settings: a test, and its description for messages."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from multistage.registry.words import can_be_shown, listing

Value = str | int | float | bool | None
"""What a setting holds."""


@dataclass(frozen=True)
class Rule:
    """Allowed values of a key: a test, and its description for messages."""

    allowed: str
    accepts: Callable[[Any], bool]


def one_of(*choices: Value) -> Rule:
    """One of a few values; types must match."""
    return Rule(f"one of {listing(choices)}", lambda v: any(v == c and type(v) is type(c) for c in choices))


def whole(low: int, high: int = 10**9) -> Rule:
    """A whole number within bounds."""
    return Rule(f"a whole number from {low} to {high}", lambda v: type(v) is int and low <= v <= high)


def number(low: float, high: float = 1e9, exclusive: bool = False) -> Rule:
    """A finite number within bounds; `exclusive`: above the lower one."""
    bounds = f"a number above {low:g}, at most {high:g}" if exclusive else f"a number from {low:g} to {high:g}"

    def accepts(v: Any) -> bool:
        return type(v) in (int, float) and (low < v <= high if exclusive else low <= v <= high)

    return Rule(bounds, accepts)


def text() -> Rule:
    """Any printable text."""
    return Rule("a text of characters that can be shown", lambda v: isinstance(v, str) and v != "" and can_be_shown(v))


def word() -> Rule:
    """A text that is safe as part of a path."""

    def accepts(v: Any) -> bool:
        known = isinstance(v, str) and v.strip(".") != "" and all(c.isalnum() or c in "_.-" for c in v)
        return known and len(v.encode()) <= 100

    return Rule("a text of letters, digits, '_', '.' and '-', at most 100 of them", accepts)


def either(first: Rule, second: Rule) -> Rule:
    """A value that either rule accepts."""
    return Rule(f"{first.allowed}, or {second.allowed}", lambda v: first.accepts(v) or second.accepts(v))


FLAG = Rule("true or false", lambda v: isinstance(v, bool))
NOTHING = Rule("null", lambda v: v is None)


def _is_plain(v: Any) -> bool:
    if isinstance(v, list):
        return all(_is_plain(item) for item in v)
    known = v is None or isinstance(v, str | bool) or (isinstance(v, int) and -(2**63) <= v < 2**63)
    return known or (isinstance(v, float) and math.isfinite(v))


PLAIN = Rule("text, a finite number, true, false, null, or a list of these", _is_plain)
