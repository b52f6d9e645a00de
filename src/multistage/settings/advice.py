"""Wrong ways of saying a right thing, answered with what to type."""

import shlex
from collections.abc import Collection, Iterable, Sequence

from multistage.registry.words import as_typed, nearest
from multistage.settings import trainer
from multistage.settings.config import REGISTRIES, rules

FEW = 3
"""So many answers are advice; more are none."""


def unknown(key: str, typed: str, known: Collection[str], files: Iterable[tuple[str, str]]) -> str:
    """The refusal of a key that does not exist.

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
    return f"unknown key {key!r}{nearest(key, known) or '; expected a key of conf/train.yaml'}"


def unreadable(words: Sequence[str], at: int, known: Collection[str], files: Iterable[tuple[str, str]]) -> str:
    """The refusal of a word that is no KEY=VALUE.

    Args:
        words: All that was typed.
        at: Which of them it is.
        known: All keys.
        files: Groups and the names of their files.
    """
    word = words[at]
    refusal = f"{word!r} cannot be read"
    key, equals, value = word.partition("=")
    if equals:
        quoted = shlex.quote(f"{key}={as_typed(value)}")
        return f"{refusal}; expected KEY=VALUE, special characters in quotes, for the shell too: {quoted}"
    following = next((other for other in words[at + 1 :] if other != "="), "")
    if len(meant := _meant(word.rstrip(":"), known)) == 1:
        return f"{refusal}; type {meant[0]}={following if following and '=' not in following else '...'}"
    found = _choosing(word, files)
    return f"{refusal}; {f'type {found}' if found else 'expected KEY=VALUE'}"


def option(words: Sequence[str], at: int) -> str | None:
    """What is meant by an option that is a setting, as in ``--model lcn_maxpool``; None if it is none.

    Args:
        words: All that was typed.
        at: Which of them it is.
    """
    name, equals, value = words[at].lstrip("-").partition("=")
    meant = _meant(name, [*rules(), *map("trainer.{}".format, trainer.ARGUMENTS)])
    if not meant or len(meant) > FEW:
        return None
    following = words[at + 1] if at + 1 < len(words) else "..."
    value = value if equals else following if "=" not in following and not following.startswith("-") else "..."
    return f"{words[at]} is not an option; type {' or '.join(f'{key}={value}' for key in meant)}"


def _meant(name: str, known: Iterable[str]) -> list[str]:
    """The keys that a name may stand for: itself, however it is spelled, or those that end with it."""
    spelled = name.lower().replace("-", "_")
    keys = sorted(key for key in known if ".stage" not in key)
    same = [key for key in keys if key.lower() == spelled]
    return same or [key for key in keys if key.lower().endswith(f".{spelled}")]


def _choosing(value: str, files: Iterable[tuple[str, str]]) -> str:
    """What is typed to choose a value; "" if it is none, or one of too many."""
    listed = [(registry.key, name) for registry in REGISTRIES.values() for name in registry]
    found = dict.fromkeys(f"{key}={name}" for key, name in (*files, *listed) if name.lower() == value.lower())
    return " or ".join(found) if len(found) <= FEW else ""


def of_hydra(word: str) -> str | None:
    """The refusal of a setting of Hydra's that is not a launcher's; None if it is one that may be typed."""
    key, _, value = word.partition("=")
    if "_target_" not in word and (key == "hydra/launcher" or key.startswith("hydra.launcher.")):
        return None
    place = f"; where runs lie is typed as output={value}" if key in ("hydra.run.dir", "hydra.sweep.dir") else ""
    return f"{word} is not allowed; expected hydra/launcher=NAME or hydra.launcher.OPTION=VALUE{place}"
