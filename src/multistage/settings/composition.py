"""From what was typed to runs that were checked: Hydra composes, `multistage.settings.config` decides.

    plan(["model=lcn_maxpool", "seed=1"])            one run
    expand(["model=glob(*)", "seed=range(0,5)"])     the runs of a multirun, as Hydra's own sweeper has them

Nothing that comes out of here is Hydra's: configurations are flat mappings of plain values.
"""

import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from multistage.data.augment import Augmentation
from multistage.registry.errors import ConfigError, UnreadError
from multistage.registry.words import as_typed, key_of, listing, nearest
from multistage.settings import advice, callbacks, completion, flat, optimizer, param_groups, trainer, yaml_files
from multistage.settings.config import REGISTRIES, below, check, check_effect, check_values, options, rule_of, unknown
from multistage.settings.flat import GROUPS
from multistage.settings.naming import Names, Run, changed
from multistage.settings.tree import TRAINED, Config, parse

PACKAGE = Path(__file__).parents[1]
CONF = (PACKAGE if (PACKAGE / "conf").exists() else PACKAGE.parents[1]) / "conf"  # in a wheel, or in a checkout
SHORTHANDS = ("optimizer", "param_groups", "schedule", "callbacks", "augment")
"""Groups whose files are only shorthand: typing the file or its values gives the same run."""


def names(group: str) -> list[str]:
    """Return the files of a group: ``names("model")`` are the presets."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def files() -> list[tuple[str, str]]:
    """Return every group with its files."""
    return [(group, name) for group in (*GROUPS, *SHORTHANDS, "experiment") for name in names(group)]


def plan(typed: Sequence[str]) -> Run:
    """Compose and check a run.

    Raises:
        ConfigError: One line with key, value and allowed values.
    """
    with hydra():
        config, defaults, keys = _composition(typed)
        bare = _defaults(CONF, ())
    config, defaults = completion.completed(config, defaults)
    settings = check(config)
    differing = changed(config, defaults)
    check_effect(config, settings, differing, keys)
    if any(key.startswith(("optimizer.", "schedule")) for key in differing):  # tests check what files hold
        optimizer.check(config)
    param_groups.check(config, settings)
    callbacks.check(config)
    config = completion.normal(config, defaults)
    for key in keys:
        if key.startswith("optimizer.") and key in config:
            optimizer.check_moved(config, key)
    settings = parse(config)
    names = Names(config, settings, defaults, bare)
    return Run(config, settings, names.folder, names.overrides, names.whereabouts)


def _composition(typed: Sequence[str]) -> tuple[Config, Config, list[str]]:
    """Return files with typed values, files alone, and the keys whose typed values differ."""
    parsed = _parse(typed)
    choices = {o.key_or_group: _choice(o) for o in parsed if o.key_or_group in GROUPS}
    last = {o.key_or_group: _choice(o) if _is_shorthand(o) else None for o in parsed if o.key_or_group in SHORTHANDS}
    files = {group: name for group, name in last.items() if name is not None}
    plain, chosen = tuple(choices.items()), tuple((choices | files).items())
    defaults = _defaults(CONF, plain)
    there = {**defaults, **_defaults(CONF, chosen)}
    known = _known(CONF, plain) | _known(CONF, chosen)
    for override in parsed:
        _check_key(override, known)
    values = [o for o in parsed if o.key_or_group not in {*GROUPS, *files}]
    config = flat.with_values(flat.composed(CONF, chosen), values)
    if "augment" in files:  # removes the data set's own; frozen filters read neither
        none = {f"augment.{field.name}": field.default for field in fields(Augmentation)}
        without = none if config["refine"] else defaults
        config |= {key: without[key] for key in none if key in defaults and key not in config}
    config = {key: value for key, value in config.items() if not trainer.is_default(key, value)}
    check_values(config, defaults)
    if "geometry" in choices:
        others = tuple((group, name) for group, name in choices.items() if group != "geometry")
        defaults = {**defaults, "geometry": _defaults(CONF, others)["geometry"]}
    keys = [value.key_or_group for value in values]
    return config, defaults, [key for key in keys if key not in there or config.get(key) != there[key]]


def plan_all(jobs: Sequence[Sequence[str]]) -> tuple[list[Run], list[list[str]], list[str]]:
    """Compose and check the runs of a sweep. Settings typed for all of them are left out of runs that do not read them.

    Returns:
        The runs, the command line of each, and a line for each setting without effect on some of them.

    Raises:
        ConfigError: As for `plan`; a setting without effect on any run.
    """
    common = set(jobs[0]).intersection(*jobs) if len(jobs) > 1 else set()
    planned, typed = list[Run](), list[list[str]]()
    refusals, refused = Counter[str](), dict[str, UnreadError]()
    with hydra():
        for job in jobs:
            words, run = list(job), None
            while run is None:
                try:
                    run = plan(words)
                except UnreadError as refusal:
                    unread = [w for w in words if w in common and key_of(w) == refusal.key]
                    if not unread:
                        raise
                    words = [word for word in words if word not in unread]
                    for word in unread:
                        refusals[word] += 1
                        refused.setdefault(word, refusal)  # only the first: each one holds its cause
            planned.append(run)
            typed.append(words)
    for word, count in refusals.items():
        if count == len(jobs):
            raise refused[word]
    told = "{} is left out of {} of {} runs, which do not read it"
    return planned, typed, [told.format(word, count, len(jobs)) for word, count in refusals.items()]


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Return the runs of a multirun: every combination of values, as Hydra's sweeper makes them."""
    with hydra() as loader:
        alternatives = []
        for override in _parse(overrides):
            override.config_loader = loader  # expands glob(...)
            key = override.get_key_element()
            sweeping = override.is_sweep_override()
            try:
                values = override.sweep_string_iterator() if sweeping else [override.get_value_element_as_str()]
                alternatives.append([f"{key}={value}" for value in values])
            except ValueError as error:
                raise ConfigError(f"{override.input_line} cannot be read: {error}; expected other values") from None
        return [list(job) for job in product(*alternatives)]


@contextmanager
def hydra() -> Iterator[Any]:
    """Open Hydra's configuration loader on `CONF`; its errors become one line. If nested, only the outermost loads."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    inside = GlobalHydra.instance().is_initialized()
    try:
        with nullcontext() if inside else initialize_config_dir(str(CONF), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"{first_line(error)}; conf/train.yaml shows what can be set") from None
    except (YAMLError, UnicodeDecodeError):  # Hydra does not name the file
        yaml_files.check(CONF)
        raise


def first_line(error: Exception) -> str:
    """Return what was wrong; further lines are Hydra's advice."""
    return next(line for line in str(error).splitlines() if line.strip()).rstrip(":. ")


def _parse(overrides: Sequence[str]) -> list[Any]:
    parsed = [_parsed(override) for override in overrides]
    if None in parsed:
        known = {*_known(CONF, ()), *GROUPS, *SHORTHANDS}
        raise ConfigError(advice.unreadable(overrides, parsed.index(None), known, files()))
    return parsed


@lru_cache(2**14)
def _parsed(override: str) -> Any:
    """Parse a word with Hydra; None if it fails. Cached, because the runs of a sweep share most words."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    for form in (override, _quoted(override)):
        try:
            return OverridesParser.create().parse_overrides([form])[0]
        except (OverrideParseException, ValueError, RecursionError):  # the latter for endless numbers, deep brackets
            continue
    return None


def _quoted(typed: str) -> str:
    """Quote a path that Hydra cannot parse because of its characters; possible lists of values stay as typed."""
    key, _, value = typed.partition("=")
    return f"{key}={as_typed(value)}" if key in advice.PATHS and not any(c in ",'\"$\\" for c in value) else typed


def _choice(override: Any) -> str:
    """Return the file that a group override chooses."""
    if override.is_sweep_override():
        raise ConfigError(f"{override.input_line} names several values; add -m to run each")
    group, name = override.key_or_group, str(override.get_value_element_as_str())
    known = names(group)
    if override.is_add() or override.is_force_add() or override.package is not None:
        raise ConfigError(f"{override.input_line} cannot be read; expected {group}={name}")
    if name not in known or override.is_delete():
        hint = nearest(name, known)
        if name in REGISTRIES.get(group, ()):
            hint = f"; it has a class, and needs a file conf/{group}/{name}.yaml"
        elif group == "data" and ("/" in name or Path(name).is_dir()):
            hint = f"; for a folder of images type {shlex.join(['data=image_folder', f'data.root={as_typed(name)}'])}"
        elif not hint and group in optimizer.HOMES:
            section = "+callbacks.NAME" if group == "callbacks" else group
            hint = f"; for another class type {section}._target_={optimizer.HOMES[group][0]}.CLASS"
        raise ConfigError(f"{override.input_line} does not exist; expected one of {', '.join(known)}{hint}")
    return name


def _is_shorthand(override: Any) -> bool:
    """Whether an override chooses a file of a shorthand group; ``schedule=null`` and ``~schedule`` are values."""
    return override.key_or_group in SHORTHANDS and not override.is_delete() and override.value() is not None


def _check_key(override: Any, known: Collection[str]) -> None:
    """Refuse unknown keys; only arguments of classes can be added."""
    key, line = override.key_or_group, override.input_line
    if key in GROUPS or _is_shorthand(override):
        return
    if override.is_hydra_override():
        beside = "-m and hydra/launcher=NAME" if key.startswith("hydra.launcher.") else "-m"
        alone = f"{line} concerns how a sweep is launched; expected {beside} beside it, or leave it out"
        raise ConfigError(advice.of_hydra(line) or alone)
    if override.is_sweep_override():
        raise ConfigError(f"{line} names several values; add -m to run each")
    if override.package is not None:
        raise ConfigError(f"{line} cannot be read; expected {key}=VALUE")
    if key in SHORTHANDS and key != "schedule":
        raise ConfigError(f"{line} removes a required setting; expected {key}=NAME, one of {listing(names(key))}")
    section, added = key.partition(".")[0], override.is_add() or override.is_force_add()
    if (added or override.is_delete()) and section not in TRAINED:
        raise ConfigError(f"{line}: only keys of {', '.join(TRAINED)} can be added or removed")
    if key in known or added or section == "trainer":  # `trainer.check` knows its arguments
        return
    if section in TRAINED:  # another class may have this argument
        hint = "" if override.is_delete() else f"; to give it to the class, write +{line}"
        raise UnreadError(key, unknown(key, known) + hint)
    if rule_of(key) is None and not below(key):
        raise ConfigError(advice.unknown(key, line, {*known, *GROUPS, *SHORTHANDS}, files()))


@cache
def _defaults(conf: Path, choices: tuple[tuple[str, str], ...]) -> Config:
    """Return the configuration of the chosen files, without typed values."""
    return flat.with_values(flat.composed(conf, choices), [])


@cache
def _known(conf: Path, choices: tuple[tuple[str, str], ...]) -> set[str]:
    """Return all keys that may be typed with these files, including sections."""
    defaults = _defaults(conf, choices)
    sections = {name.rpartition(".")[0] for name in defaults} - {""}
    return {*defaults, *options(), *sections, *map("trainer.{}".format, trainer.ARGUMENTS)}
