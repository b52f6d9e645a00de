"""Format settings for the command line and for messages."""

import difflib
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

JOINERS = "\u200c\u200d\u200e\u200f"
"""Zero-width characters that are part of words and of emoji."""

KEYWORDS = ("null", "true", "false", "nan", "inf")


def listing(values: Iterable[object]) -> str:
    """List values as they are typed on the command line: 1, true, null."""
    names = {None: "null", True: "true", False: "false"}
    return ", ".join(names[v] if v is None or isinstance(v, bool) else str(v) for v in values)


def shown(value: Any) -> str:
    """Format a value for a message; an ambiguous or empty text gets quotes."""
    if not isinstance(value, str):
        return listing([value])
    like_a_number = value.lstrip("+-.")[:1].isdigit() or value.lower() in KEYWORDS
    return repr(value) if value == "" or like_a_number or any(c.isspace() or c in "'\"" for c in value) else value


def as_typed(value: Any) -> str:
    """Format a value for the command line; a text that Hydra would read as something else gets quotes."""
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    if not isinstance(value, str):
        return listing([value])
    plain = shown(value) == value and all(c.isalnum() or c in "_/.-" for c in value) and value.isascii()
    parts = [part + "\\" * (len(part) - len(part.rstrip("\\"))) for part in value.split("'")]
    return value if plain else "'" + "\\'".join(parts) + "'"


def key_of(word: str) -> str:
    """Return the key of a setting as it is typed: ``optimizer.lr`` of ``+optimizer.lr=0.1``."""
    return word.lstrip("+~").partition("=")[0]


def harmless(cell: object) -> object:
    """Make a cell of a table safe for spreadsheets: an apostrophe before what they would read as a formula."""
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    with suppress(ValueError):
        float(cell)
        return cell
    return f"'{cell}"


def can_be_shown(text: str) -> bool:
    """Whether a text has no control characters; no-break spaces and joiners, common in names of files, are allowed."""
    return all(c.isprintable() or c in JOINERS or unicodedata.category(c) == "Zs" for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return '; nearest: ...' with the most similar known names, or '' if none is similar."""
    names = {variant.lower(): key for key in sorted(known) for variant in (key.rpartition(".")[2], key)}
    similar = [names[match] for match in difflib.get_close_matches(name.lower(), names, n=4, cutoff=0.65)]
    return f"; nearest: {', '.join(dict.fromkeys(similar))}" if similar else ""
