"""The schema of a record: records may come from anywhere, so they are checked once, on reading.

Other fields are allowed (newer versions add some) if their values are plain.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from multistage.registry import digest
from multistage.registry.errors import MultistageError
from multistage.registry.rules import FLAG, NOTHING, Rule, either, number, one_of, text, whole
from multistage.registry.words import can_be_shown, listing
from multistage.settings import naming, trainer
from multistage.settings.config import ALWAYS, check_values
from multistage.settings.tree import Config, parse

MOST = 32 * 2**20
"""Maximum size of a record, bytes; parsed it takes up to thirty times as much memory."""

DRAW = re.compile(r"draw-\d+-seed-\d+-?")
"""The part of a run's folder that differs within a cell; overrides follow it."""

SETTINGS = "settings_sha256"
"""The field of a record and of its weights file with the digest of the settings."""

SHIPPED = "shipped"
"""The field of a shipped model's record that says how its weights are stored."""

DEEPEST = 6
"""Maximum nesting of lists and mappings."""


class RecordError(MultistageError):
    """An intact record with content that this version does not allow."""


def _each(rule: Rule) -> Rule:
    return Rule(f"a list, each {rule.allowed}", lambda v: isinstance(v, list) and all(map(rule.accepts, v)))


def _named(rule: Rule, *keys: str) -> Rule:
    among = f", among them {', '.join(keys)}" if keys else ""

    def accepts(v: Any) -> bool:
        return isinstance(v, dict) and all(map(rule.accepts, v.values())) and all(key in v for key in keys)

    return Rule(f"names, each with {rule.allowed}{among}", accepts)


def _some(rules: Mapping[str, Rule], *keys: str) -> Rule:
    """Rule: a mapping from names to values, with a rule for each of these required keys."""
    among = f", among them {', '.join(keys)}" if keys else ""

    def accepts(v: Any) -> bool:
        there = isinstance(v, dict) and all(key in v for key in keys)
        return there and all(rules[key].accepts(value) for key, value in v.items() if key in rules)

    return Rule(f"names, each with what a run writes there{among}", accepts)


def _is_folder(v: Any) -> bool:
    parts = v.split("/") if isinstance(v, str) else [""]
    named = all(part.strip(".") and all(c.isalnum() or c in "_.+-" for c in part) for part in parts)
    return named and DRAW.search(parts[-1]) is not None


def _are_classes(v: Any) -> bool:
    return isinstance(v, list) and all(map(_is_class, v)) and len({entry["name"] for entry in v}) == len(v)


def _is_class(v: Any) -> bool:
    if not isinstance(v, dict) or not v.keys() >= {"name", "correct", "total"}:
        return False
    counted = COUNT.accepts(v["total"]) and whole(0, v["total"]).accepts(v["correct"])
    return counted and text().accepts(v["name"])


COUNT = whole(0, 2**63 - 1)
AMOUNT = number(-1e300, 1e300)
HEXADECIMAL = Rule("64 hexadecimal digits", lambda v: isinstance(v, str) and bool(re.fullmatch("[0-9a-f]{64}", v)))

CODE = {"commit": either(text(), NOTHING), "dirty": either(FLAG, NOTHING), "code": text()}
PART = either(either(text(), COUNT), NOTHING)
HARDWARE = {"hardware": _named(PART), "threads": COUNT, "versions": _named(text())}

EXTREME = Rule(
    "[name, number of images]",
    lambda v: isinstance(v, list) and len(v) == 2 and text().accepts(v[0]) and COUNT.accepts(v[1]),
)
IMAGES = {
    **dict.fromkeys(("images", "classes", "train", "validation", "test", "flat"), COUNT),
    **dict.fromkeys(("smallest", "largest"), EXTREME),
    "colour": text(),
    "notes": _each(text()),
}
"""The counts of `multistage.data.overview`."""

FIGURES = {"images": COUNT, **dict.fromkeys(("test_accuracy", "test_mean_class_accuracy"), number(0, 1))}
STORED = {
    "name": text(),
    "precision": one_of("float16", "float32"),
    "weights_sha256": HEXADECIMAL,
    "bytes": COUNT,
    "metrics": _some(FIGURES, *FIGURES),
    "correct": _each(COUNT),
    "remaining": _some(FIGURES, *FIGURES),
}
"""Fields that `scripts/ship.py` adds: `metrics` of the stored weights, on test images and on all untrained images."""

REQUIRED = {
    "config": Rule("names with values", lambda v: isinstance(v, dict)),
    "metrics": _named(number(0, 1), "test_accuracy", "test_mean_class_accuracy", "train_accuracy"),
    "per_class": Rule("a list of different classes, each with name, correct and total", _are_classes),
    "seconds": _named(number(0, 1e300)),
    "parameters": COUNT,
    "device": text(),
    "results_version": COUNT,
    "split_hash": text(),
    "data_hash": text(),
}

OPTIONAL = {
    "run": Rule("the run's folder, .../draw-N-seed-N", _is_folder),
    "overrides": _each(text()),
    "filters": _each(_named(AMOUNT)),
    "readout": _named(AMOUNT),
    "history": _named(_each(either(AMOUNT, NOTHING))),
    "corruptions": _named(_each(number(0, 1))),
    "diverged": text(),
    "precision": text(),
    "weights_sha256": HEXADECIMAL,
    "skipped": _each(text()),
    **HARDWARE,
    "hardware": _named(PART, "processor", "cores", "gpu"),
    **CODE,
    "code_at_end": _some(CODE),
    "resumed": _each(_some({**CODE, **HARDWARE, "epochs": COUNT}, "epochs")),
    "images": _some(IMAGES, *IMAGES),
    SETTINGS: HEXADECIMAL,
    SHIPPED: _some(STORED, "name", "precision", "weights_sha256"),
}


def parsed(content: str | bytes) -> dict[str, Any]:
    """Parse untrusted JSON.

    Raises:
        ValueError: Not JSON, or not a mapping.
    """
    try:
        found = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is not a record")
    return found


def check(record: Mapping[str, Any], version: int) -> None:
    """Refuse a record that no run of this version or an older one would write.

    Args:
        record: The parsed record.
        version: ``results_version`` of this version.

    Raises:
        RecordError: The field, its value, and what was expected.
    """
    check_plain(record)
    for field, rule in {**REQUIRED, **OPTIONAL}.items():
        if field in record and not rule.accepts(record[field]):
            raise RecordError(f"{field}={_short(record[field])} is not allowed; expected {rule.allowed}")
        if field in REQUIRED and field not in record:
            raise RecordError(f"it has no {field}; expected {rule.allowed}")
    if record["results_version"] > version:
        newer = f"results_version={record['results_version']}"
        raise RecordError(f"it has {newer}, from a newer multistage; expected at most {version}")
    check_config(record["config"])
    cell = naming.cell(record["config"])
    if not f"{record.get('run', cell)}-".startswith(f"{cell}-"):
        raise RecordError(f"run={_short(record['run'])} is not what its config says; expected {cell}")
    if record.get(SETTINGS) not in (None, settings_digest(record["config"])):
        raise RecordError(f"its config is not the one that was run: {SETTINGS} is that of another")


def settings_digest(config: Config) -> str:
    """Return the SHA-256 of recorded settings, without those that never affect results."""
    settings = parse(config)
    idle = {*ALWAYS, *(settings.read.keys() - settings.bearing.keys())}
    return digest({key: value for key, value in config.items() if key not in idle})


def check_note(note: Mapping[str, Any]) -> None:
    """Refuse a note of failure that no run of this version or an older one would write.

    Raises:
        RecordError: The field, and what was expected.
    """
    check_plain(note)
    for field, rule in {"reason": text(), "time": number(0, 1e300), "config": REQUIRED["config"]}.items():
        if not rule.accepts(note.get(field)):
            raise RecordError(f"it has no {field}; expected {rule.allowed}")
    check_config(note["config"])


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse a configuration that this version cannot read, such as one of a newer version.

    Raises:
        RecordError: The key, its value, and what was expected.
    """
    try:
        check_values(config, ())
        trainer.check(config)
        for key in naming.IN_PATH:
            if key not in config:
                raise RecordError(f"{key} has no value")
        parse(config)
    except MultistageError as error:
        raise RecordError(f"config: {error}") from None


def check_plain(record: Mapping[str, Any]) -> None:
    """Refuse values that cannot be computed with or shown.

    Raises:
        RecordError: Text that cannot be shown, a number of more than 64 bits, or too many levels.
    """
    for place, value in _leaves(record, "", 0):
        if isinstance(value, str) and not can_be_shown(value):
            raise RecordError(f"{place}={_short(value)} has characters that cannot be shown")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise RecordError(f"{place} is a number of more than 64 bits")
        if isinstance(value, float) and not math.isfinite(value):
            raise RecordError(f"{place} is not a finite number")


def _leaves(value: Any, place: str, depth: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict | list):
        yield place, value
        return
    if depth == DEEPEST:
        raise RecordError(f"{place} is nested too deeply; expected at most {DEEPEST} levels")
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item, place, depth + 1)
        return
    for key, item in value.items():
        yield f"a name in {place}" if place else "a name", key
        yield from _leaves(item, f"{place}.{key}" if place else key, depth + 1)


def _short(value: Any) -> str:
    found = listing([value])
    return found if len(found) <= 60 else f"{found[:60]}..."
