"""Messages for mistyped settings: what to type instead."""

import shlex
from collections.abc import Collection, Iterable, Sequence

from multistage.registry.words import as_typed
from multistage.settings import config
from multistage.settings.config import REGISTRIES, rules

PATHS = ("data.root", "output")
"""Settings that hold a path."""

OTHERWISE = {"learning_rate": "lr", "epochs": "max_epochs", "device": "accelerator"}
"""Other packages' names for settings."""

FEW = 3
"""Largest number of alternatives that a message suggests."""


def unknown(key: str, typed: str, known: Collection[str], files: Iterable[tuple[str, str]]) -> str:
    """Return the error for an unknown key.

    Args:
        key: What was typed before the equals sign.
        typed: The whole word.
        known: All keys.
        files: Groups and the names of their files.
    """
    if len(meant := _meant(key, known)) == 1:
        return f"unknown key {key!r}; type {meant[0]}={typed.partition('=')[2]}"
    if words := _choosing(key, files):
        return f"unknown key {key!r}, which is a value; type {words}"
    return config.unknown(key, known)


def unreadable(words: Sequence[str], at: int, known: Collection[str], files: Iterable[tuple[str, str]]) -> str:
    """Return the error for a word that is not KEY=VALUE.

    Args:
        words: The command line.
        at: Index of the word.
        known: All keys.
        files: Groups and the names of their files.
    """
    word = words[at]
    refusal = f"{word!r} cannot be read"
    key, equals, value = word.partition("=")
    if equals:
        quoted = shlex.quote(f"{key}={as_typed(value)}")
        return f"{refusal}; expected KEY=VALUE, special characters in quotes, for the shell too: {quoted}"
    if at and (before := words[at - 1]).partition("=")[0] in PATHS:
        return f"{refusal}; a path with spaces needs quotes, as in {shlex.quote(f'{before} {word}')}"
    following = next((other for other in words[at + 1 :] if other != "="), "")
    if len(meant := _meant(word.rstrip(":"), known)) == 1:
        return f"{refusal}; type {meant[0]}={following if following and '=' not in following else '...'}"
    found = _choosing(word, files)
    return f"{refusal}; {f'type {found}' if found else 'expected KEY=VALUE'}"


def option(words: Sequence[str], at: int) -> str | None:
    """Return the error for an option that should be a setting, as in ``--model lcn_maxpool``; None if it is no setting.

    Args:
        words: The command line.
        at: Index of the option.
    """
    name, equals, value = words[at].lstrip("-").partition("=")
    meant = _meant(name, rules())
    if not meant or len(meant) > FEW:
        return None
    following = words[at + 1] if at + 1 < len(words) else "..."
    value = value if equals else following if "=" not in following and not following.startswith("-") else "..."
    return f"{words[at]} is not an option; type {' or '.join(f'{key}={value}' for key in meant)}"


def _meant(name: str, known: Iterable[str]) -> list[str]:
    """Return the keys that a name may mean: itself in any spelling, or keys that end with it."""
    spelled = name.lower().replace("-", "_")
    spelled = OTHERWISE.get(spelled, spelled)
    keys = sorted(key for key in known if ".stage" not in key)
    same = [key for key in keys if key.lower() == spelled]
    return same or [key for key in keys if key.lower().endswith(f".{spelled}")]


def _choosing(value: str, files: Iterable[tuple[str, str]]) -> str:
    """Return what to type to choose a value; "" if it is not a choice, or an ambiguous one."""
    listed = [(registry.key, name) for registry in REGISTRIES.values() for name in registry]
    found = dict.fromkeys(f"{key}={name}" for key, name in (*files, *listed) if name.lower() == value.lower())
    return " or ".join(found) if len(found) <= FEW else ""


def of_hydra(word: str) -> str | None:
    """Return the error for a setting of Hydra that does not belong to a launcher; None if it may be typed."""
    key, _, value = word.partition("=")
    if "_target_" not in word and (key == "hydra/launcher" or key.startswith("hydra.launcher.")):
        return None
    place = f"; for the folder of runs type output={value}" if key in ("hydra.run.dir", "hydra.sweep.dir") else ""
    return f"{word} is not allowed; expected hydra/launcher=NAME or hydra.launcher.OPTION=VALUE{place}"
