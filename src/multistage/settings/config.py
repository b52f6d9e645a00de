"""The flat configuration of a run, a mapping from key to plain value, and its rules.

`composition` makes it from Hydra's files, `check` decides whether it can be run, and `multistage.settings.tree` parses
it into typed settings, which everything else reads. The run's record stores it unchanged.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from multistage.dashboards import loggers
from multistage.data import Draw, data_sets
from multistage.data.augment import Augmentation
from multistage.data.corruptions import Robustness
from multistage.filters import filter_methods
from multistage.network.reading import FilterSets, Reading
from multistage.network.views import Views
from multistage.operations import Filtering, normalisations, poolings, rectifications
from multistage.readout import readouts
from multistage.registry import Choice, Registry, settings_of
from multistage.registry.errors import ConfigError, UnreadError
from multistage.registry.rules import FLAG, NOTHING, PLAIN, Rule, Value, either, number, one_of, text, whole, word
from multistage.registry.words import listing, nearest, shown
from multistage.settings import trainer
from multistage.settings.trainer import Option
from multistage.settings.tree import DRAWN, TRAINED, Config, Settings, parse

REGISTRIES: dict[str, Registry] = {
    registry.key: registry
    for registry in (rectifications, normalisations, poolings, data_sets, filter_methods, readouts, loggers)
}
"""Registries of choices, by the key that selects one."""

OPERATIONS = tuple(registry.key for registry in (rectifications, normalisations, poolings))
"""Keys that choose the operations of all stages."""

MOST_STAGES = 9

ALWAYS = ("name", "experiment", "output", "overwrite", "retry_failed", "trainer.accelerator")
"""Keys that say where and whether to run, not what; `parse` does not read them."""

_STAGE = re.compile(r"\.stage[1-9](?=\.|$)")


@cache
def rules() -> dict[str, Rule]:
    """Return every key and its rule; for settings of each stage, only stage 1 is listed."""
    return {**_common(), **{key: option.rule for key, option in options().items()}}


@cache
def _common() -> dict[str, Rule]:
    """Return the keys that belong to no choice."""
    stage = {
        "maps": whole(1, 4096),
        "kernel": whole(1, 999),
        "window": whole(1, 999),
        "step": whole(1, 999),
        "fan_in": either(whole(1, 4096), NOTHING),
        "filter_range": number(0, 100, exclusive=True),
    }
    choices, of_draw = {key: one_of(*registry) for key, registry in REGISTRIES.items()}, settings_of(Draw)
    return {
        "model": word(),
        **choices,
        **{key.replace("model.", "model.stage1."): choices[key] for key in OPERATIONS},
        "stages": whole(1, MOST_STAGES),
        "data.batch_size": whole(1, 10**6),
        **{f"data.{name}": of_draw[name] for name in DRAWN},
        "geometry": word(),
        **{f"geometry.stage1.{name}": rule for name, rule in stage.items()},
        "filter_bank.padding": whole(0, 999),
        "refine": FLAG,
        "hidden": whole(0, 10**6),
        "draw": of_draw["draw"],
        "seed": whole(0, 2**63 - 1),
        **{f"trainer.{name}": argument.rule for name, argument in trainer.ARGUMENTS.items()},
        "optimizer.lr": number(0, exclusive=True),
        "schedule": NOTHING,
        "experiment": either(word(), NOTHING),
        "name": word(),
        "output": text(),
        "overwrite": one_of(False, True, "changed"),
        "retry_failed": FLAG,
    }


@cache
def options() -> dict[str, Option]:
    """Return the settings of all choices, by key.

    Raises:
        TypeError: A setting of two choices. Choices of one registry may share it, as only one of them is chosen; but
            operations must agree on it, as each stage may have another one.
    """
    found: dict[str, Option] = {}
    owners = dict.fromkeys(_common(), "every run")
    reserved = {key.partition(".")[0] for key in _common()} | {*TRAINED, "hydra"}
    for slot, choice in _choices():
        allowed = settings_of(choice)
        for field in fields(choice):
            default: Any = field.default
            key = f"{choice.section}.{field.name}"
            if field.metadata.get("per_stage"):
                key, default = f"{choice.section}.stage1.{field.name}", default[0]
            option = Option(allowed[field.name], default, field.metadata.get("bears", True))
            owner = owners.setdefault(key, slot)
            if choice.section in reserved - {slot}:
                owner = f"section {choice.section}"
            if owner != slot or (slot in OPERATIONS and found.get(key, option).meaning != option.meaning):
                raise TypeError(
                    f"{slot}={choice.name} has a setting {key}, which belongs to {owner}; choose another section"
                )
            found[key] = option
    return found


def _choices() -> Iterator[tuple[str, type[Choice]]]:
    """Yield every choice with settings and where it is chosen; a choice that every run has is named itself."""
    for always in (Filtering, Augmentation, FilterSets, Reading, Views, Robustness):
        yield always.section, always
    for slot, registry in REGISTRIES.items():
        for choice in registry.values():
            yield slot, choice


def option_of(key: str) -> Option | None:
    """Return the setting of a choice with this key; None if there is none."""
    return options().get(_STAGE.sub(".stage1", key))


def is_default(key: str, value: Any) -> bool:
    """Whether a key is a setting of a choice, at its default."""
    return key in options() and options()[key].default == value


def rule_of(key: str) -> Rule | None:
    """Return the rule of a key; None if there is no such key."""
    return rules().get(_STAGE.sub(".stage1", key), PLAIN if key.partition(".")[0] in TRAINED else None)


def below(key: str) -> list[str]:
    """Return the keys below a section, such as those of geometry.stage2."""
    section = f"{_STAGE.sub('.stage1', key)}."
    return [name.replace(section, f"{key}.") for name in rules() if name.startswith(section)]


def unknown(key: str, known: Iterable[str]) -> str:
    """Return the error for an unknown key."""
    return f"unknown key {key!r}{nearest(key, known) or '; expected a key of conf/train.yaml'}"


def bearing(config: Config) -> dict[str, Value]:
    """Return the settings that a run reads and that affect its result: its identity."""
    return dict(parse(config).bearing)


def is_unread(key: str, config: Config, settings: Settings | None = None) -> bool:
    """Whether a run does not read this key, or any below it.

    Args:
        key: Any key.
        config: The run's configuration.
        settings: The same, parsed, if they are at hand.
    """
    settings = settings or parse(config)
    if key in ALWAYS or any(name == key or name.startswith(f"{key}.") for name in settings.read):
        return False
    removed = key.partition(".")[0] in TRAINED and key not in config
    return not (removed and settings.readout.by_gradient)


def check_values(config: Config, expected: Iterable[str]) -> None:
    """Refuse unknown keys, values that are not allowed, and removed keys.

    Args:
        config: Any configuration.
        expected: Keys that must have a value.

    Raises:
        ConfigError: One line with the key, its value and what is allowed.
    """
    known = rules()
    for key, value in config.items():
        rule = rule_of(key)
        parent, _, name = key.rpartition(".")
        if rule is None and parent in known and parent not in config:
            raise ConfigError(f"{parent}={{{name}: {shown(value)}}} is not allowed; expected {known[parent].allowed}")
        if key not in known and (inside := below(key)):
            raise ConfigError(f"{key}={shown(value)} is not allowed; expected keys below it: {', '.join(inside)}")
        if rule is None:
            raise ConfigError(unknown(key, known))
        if not rule.accepts(value):
            as_text = rule is not PLAIN and not isinstance(value, str) and rule.accepts(listing([value]))
            hint = f"""; for a text type {key}="'{listing([value])}'\"""" if as_text else ""
            registry = REGISTRIES.get(_STAGE.sub("", key))
            similar = nearest(value, registry) if registry is not None and isinstance(value, str) else ""
            raise ConfigError(f"{key}={shown(value)} is not allowed; expected {rule.allowed}{hint}{similar}")
    for key in expected:  # an empty mapping, such as draw={}, removes the value
        if key not in config and (rule := rule_of(key)) not in (None, PLAIN):
            raise ConfigError(f"{key} has no value; expected {key}=..., {rule.allowed}")


def check(config: Config) -> Settings:
    """Refuse, before any data is touched, what cannot be run.

    Raises:
        ConfigError: One line with the key, its value and what is allowed.
    """
    trainer.check(config)
    settings = parse(config)
    _check_combinations(settings)
    settings.filters.check(settings.geometry, settings.shapes, settings.operations[0].filter_bank)
    if settings.sets.banks > 1 and not settings.filters.varies(len(settings.geometry)):
        raise ConfigError(
            f"filters.banks={settings.sets.banks} with filters={settings.filters.name} and "
            f"stages={len(settings.geometry)}: the filter sets would be equal; leave it out"
        )
    devices = trainer.value_of(config, "devices")
    for stage, (done, shapes) in enumerate(zip(settings.operations, settings.shapes, strict=True), 1):
        chosen = f"model.normalise={done.normalise.name}"
        if objection := done.normalise.objection(*shapes.filtered):
            raise ConfigError(f"{chosen} of stage {stage} {objection}")
        if settings.refine and done.normalise.across_samples and devices > 1:
            raise ConfigError(
                f"trainer.devices={devices} with {chosen}: each device would normalise over its share of a batch, so "
                "that results depend on their number; use trainer.devices=1"
            )
    settings.reading.check(settings.shapes)
    settings.views.check(settings.data.image_size)
    settings.readout.check(settings.output)
    return settings


def check_effect(config: Config, settings: Settings, changed: Iterable[str], typed: Sequence[str]) -> None:
    """Refuse settings without effect: typed, not the default, and not read by this run.

    Args:
        config: The run's configuration.
        settings: The same, parsed.
        changed: Keys whose values are not the defaults.
        typed: The keys that were typed: some of these, or sections of them.

    Raises:
        UnreadError: One line with the key and why it has no effect.
    """
    for key in changed:
        if is_unread(key, config, settings):
            sections = (word for word in typed if key.startswith(f"{word}.") and is_unread(word, config, settings))
            message = f"{key}={shown(config.get(key))} has no effect {_why(key, config, settings)}; leave it out"
            raise UnreadError(next(sections, key), message + _elsewhere(key))


def _why(key: str, config: Config, settings: Settings) -> str:
    """Return why a run does not read a key."""
    section, _, name = key.partition(".")
    if section == "trainer" and settings.readout.by_gradient:
        return trainer.idle(name, config)
    if section in ("data", "logger"):
        return f"with {section}={config[section]}"
    number, _, size = name.removeprefix("stage").partition(".")
    if section == "geometry" and size == "window" and f"geometry.stage{number}.step" in settings.read:
        own = f"model.stage{number}.pool"
        pool = own if own in config else "model.pool"
        return f"with {pool}={config[pool]}, whose windows are as wide as their step"
    if key in OPERATIONS:
        return "since each stage has its own"
    deciding = ["model", "stages", "filters", "refine", "readout", *["psd.length"] * (config["filters"] == "psd")]
    deciding += [slot for slot in OPERATIONS if any(choice.section == section for choice in REGISTRIES[slot].values())]
    return f"with {', '.join(f'{each}={shown(config[each])}' for each in deciding)}"


def _elsewhere(key: str) -> str:
    """Suggest data sets that read a key; ``data.root`` suggests data sets of one's own images."""
    section, _, name = key.partition(".")
    if section != "data":
        return ""
    reading = [data for data in data_sets.values() if name in settings_of(data)]
    own = [data for data in reading if name == "root" and data.root_is_content]
    return f", or choose {' or '.join(f'data={data.name}' for data in own or reading)}, which reads it"


def _check_combinations(settings: Settings) -> None:
    readout, train, validation = settings.readout, settings.draw.train_per_class, settings.draw.validation
    if settings.refine and not readout.by_gradient:
        raise ConfigError(
            f"readout={readout.name} reads frozen features only; add refine=false, or keep readout=softmax"
        )
    if settings.hidden and not readout.by_gradient:
        raise ConfigError(
            f"hidden={settings.hidden} belongs to readout=softmax; with readout={readout.name} leave it out"
        )
    if isinstance(train, int) and validation >= train:
        raise ConfigError(
            f"data.validation={validation} leaves nothing to train on; it must be below data.train_per_class={train}"
        )
