"""Settings in words: as they are typed on the command line, as messages show them."""

import difflib
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

JOINERS = "\u200c\u200d\u200e\u200f"
"""Parts of words and of emoji that have no width of their own."""

KEYWORDS = ("null", "true", "false", "nan", "inf")


def listing(values: Iterable[object]) -> str:
    """Values as they are typed on the command line: 1, true, null."""
    names = {None: "null", True: "true", False: "false"}
    return ", ".join(names[v] if v is None or isinstance(v, bool) else str(v) for v in values)


def shown(value: Any) -> str:
    """A value in a message: a text that could be taken for something else, or for nothing, stands in quotes."""
    if not isinstance(value, str):
        return listing([value])
    like_a_number = value.lstrip("+-.")[:1].isdigit() or value.lower() in KEYWORDS
    return repr(value) if value == "" or like_a_number or any(c.isspace() or c in "'\"" for c in value) else value


def as_typed(value: Any) -> str:
    """A value as the command line takes it: a text that Hydra would read as something else stands in quotes."""
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    if not isinstance(value, str):
        return listing([value])
    plain = shown(value) == value and all(c.isalnum() or c in "_/.-" for c in value) and value.isascii()
    parts = [part + "\\" * (len(part) - len(part.rstrip("\\"))) for part in value.split("'")]
    return value if plain else "'" + "\\'".join(parts) + "'"


def harmless(cell: object) -> object:
    """A cell of a table; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    with suppress(ValueError):
        float(cell)
        return cell
    return f"'{cell}"


def can_be_shown(text: str) -> bool:
    """Whether a text has no control characters; unbroken spaces and joiners, which names of files have, are none."""
    return all(c.isprintable() or c in JOINERS or unicodedata.category(c) == "Zs" for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """'; nearest: ...' with the most similar known names, or nothing if none is similar."""
    names = {variant.lower(): key for key in sorted(known) for variant in (key.rpartition(".")[2], key)}
    similar = [names[match] for match in difflib.get_close_matches(name.lower(), names, n=4, cutoff=0.65)]
    return f"; nearest: {', '.join(dict.fromkeys(similar))}" if similar else ""
