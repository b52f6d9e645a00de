"""A run's configuration: one flat mapping from the key typed on the command line to a plain value.

`train.py` makes it from Hydra's files, `check` decides whether it can be run, and everything below reads it by key:
``config["optimizer.lr"]``, ``section(config, "contrast_norm")``. It is stored in the run's record as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from multistage.settings import trainer
from multistage.settings.errors import ConfigError
from multistage.settings.rules import FLAG, NOTHING, PLAIN, Rule, either, number, one_of, text, whole, word
from multistage.settings.words import listing, nearest, shown

Config = Mapping[str, Any]

DATA_SETS = ("digits", "mnist", "fashion_mnist", "cifar10", "caltech101", "norb", "image_folder", "fake")
READOUTS = ("softmax", "sgd", "lbfgs", "pyramid_svm")


def unknown(key: str, known: Iterable[str]) -> str:
    """The refusal of a key that does not exist."""
    return f"unknown key {key!r}{nearest(key, known) or '; expected a key of conf/train.yaml'}"


_STAGE = {
    "maps": whole(1, 4096),
    "kernel": whole(1, 999),
    "window": whole(1, 999),
    "step": whole(1, 999),
    "fan_in": either(whole(1, 4096), NOTHING),
    "filter_range": number(0, 100, exclusive=True),
}

RECTIFICATIONS = ("none", "abs", "relu")
NORMALISATIONS = ("none", "lcn", "batchnorm", "lcn_batchnorm")

RULES: dict[str, Rule] = {
    "model": word(),
    "model.rectify": one_of(*RECTIFICATIONS),
    "model.normalise": one_of(*NORMALISATIONS),
    "model.pool": one_of("average", "max", "max_overlap"),
    "stages": one_of(1, 2),
    "data": one_of(*DATA_SETS),
    "data.root": text(),
    "data.image_size": whole(1, 4096),
    "data.maps": whole(1, 3),
    "data.batch_size": whole(1, 10**6),
    "data.train_per_class": either(whole(1), NOTHING),
    "data.test_per_class": either(whole(1), NOTHING),
    "data.validation": whole(0),
    "data.variance": one_of("one_pass", "two_pass"),
    "data.skip_damaged": FLAG,
    "data.classes": whole(2, 1000),
    "geometry": word(),
    **{f"geometry.stage{n}.{key}": rule for n in (1, 2) for key, rule in _STAGE.items()},
    "filter_bank.squash": one_of("tanh", "none"),
    "filter_bank.gain": FLAG,
    "filter_bank.bias": FLAG,
    "filter_bank.padding": whole(0, 999),
    "contrast_norm.kernel_size": Rule(
        "an odd whole number from 1 to 999", lambda v: type(v) is int and v in range(1, 1000, 2)
    ),
    "contrast_norm.sigma": either(number(0, 999, exclusive=True), NOTHING),
    "contrast_norm.floor": either(one_of("mean"), number(0)),
    "contrast_norm.border": one_of("zero", "renormalise", "reflect", "replicate"),
    "contrast_norm.across_maps": FLAG,
    "contrast_norm.floor_gradient": FLAG,
    "filters": one_of("random", "gabor", "psd"),
    **{f"psd.stage{n}.penalty": number(0) for n in (1, 2)},
    **{f"psd.stage{n}.steps": whole(1, 10**7) for n in (1, 2)},
    "psd.prediction": number(0),
    "psd.batch_size": whole(1, 10**6),
    "psd.rate": number(0, exclusive=True),
    "psd.convolutional": FLAG,
    "psd.length": one_of("learned", "random"),
    "refine": FLAG,
    "readout": one_of(*READOUTS),
    "hidden": whole(0, 10**6),
    "sgd.rate": number(0, exclusive=True),
    "sgd.start": number(0, 1),
    "lbfgs.penalty": number(0, exclusive=True),
    "lbfgs.max_iter": whole(1),
    "pyramid_svm.words": whole(1, 2**15),
    "pyramid_svm.levels": whole(1, 5),
    "pyramid_svm.C": number(0, exclusive=True),
    "draw": whole(0, 2**63 - 1),
    "seed": whole(0, 2**63 - 1),
    "trainer.max_epochs": whole(1, 10**6),
    "trainer.accelerator": one_of("auto", "cpu", "gpu"),
    "optimizer.lr": number(0, exclusive=True),
    "schedule": NOTHING,
    "logger": one_of("csv", "wandb", "tensorboard"),
    "logger.project": word(),
    "logger.mode": one_of("offline", "online"),
    "experiment": either(word(), NOTHING),
    "name": word(),
    "output": text(),
    "overwrite": one_of(False, True, "changed"),
    "retry_failed": FLAG,
}

OPEN_SECTIONS = ("optimizer", "schedule", "trainer", "callbacks")  # arguments of classes, checked there

ONLY_WITH = {
    "data.variance": ("caltech101", "image_folder"),
    "data.skip_damaged": ("caltech101", "image_folder"),
    "data.classes": ("fake",),
    "logger.project": ("wandb",),
    "logger.mode": ("wandb",),
    "schedule": (),
}
"""Keys that not every configuration has, and with which files they are needed."""

WITHOUT_BEARING = (
    "name",
    "experiment",
    "output",
    "overwrite",
    "retry_failed",
    "data.root",
    "logger",
    "logger.*",
    *(f"trainer.{name}" for name in trainer.ARGUMENTS if not trainer.bears_on_result(name)),
)


LATER: Config = {"sgd.rate": 0.01, "sgd.start": 0.015, "psd.length": "learned"}
"""Settings that there was no choice of when the first published runs were made, and what these did."""


def section(config: Config, prefix: str) -> dict[str, Any]:
    """The keys below `prefix`, without it: ``section(config, "optimizer")["lr"]``."""
    return {key.removeprefix(prefix + "."): value for key, value in config.items() if key.startswith(prefix + ".")}


def bears_on_result(key: str) -> bool:
    """Whether two runs that differ in this key are different runs."""
    return key not in WITHOUT_BEARING and f"{key.partition('.')[0]}.*" not in WITHOUT_BEARING


def bearing(config: Config) -> dict[str, Any]:
    """The settings that a run reads and that bear on its result: with another value it would be another run."""
    complete = {**LATER, **config}
    return {key: value for key, value in complete.items() if bears_on_result(key) and not is_unread(key, config)}


def check(config: Config) -> None:
    """Refuse, before any data is touched, what cannot be run.

    Raises:
        ConfigError: One line with the key, its value and what is allowed.
    """
    for key, value in config.items():
        rule = RULES.get(key, PLAIN if key.partition(".")[0] in OPEN_SECTIONS else None)
        parent, _, name = key.rpartition(".")
        if rule is None and parent in RULES and parent not in config:
            raise ConfigError(f"{parent}={{{name}: {shown(value)}}} is not allowed; expected {RULES[parent].allowed}")
        if key not in RULES and (below := [name for name in RULES if name.startswith(f"{key}.")]):
            raise ConfigError(f"{key}={shown(value)} is not allowed; expected keys below it: {', '.join(below)}")
        if rule is None:
            raise ConfigError(unknown(key, RULES))
        if not rule.accepts(value):
            as_text = rule is not PLAIN and not isinstance(value, str) and rule.accepts(listing([value]))
            hint = f"""; for a text type {key}="'{listing([value])}'\"""" if as_text else ""
            raise ConfigError(f"{key}={shown(value)} is not allowed; expected {rule.allowed}{hint}")
    for key, rule in RULES.items():
        needed = key not in ONLY_WITH or config.get(key.partition(".")[0]) in ONLY_WITH[key]
        if needed and key not in config:
            raise ConfigError(f"{key} has no value; expected {key}=..., {rule.allowed}")
    trainer.check(config)
    _check_combinations(config)

    from multistage.network.shapes import gabor_counts, stage_shapes  # which reads configurations itself

    shapes = stage_shapes(config)
    if config["filters"] == "gabor":
        gabor_counts(config["geometry.stage1.maps"], config["geometry.stage1.kernel"])
    if config["filters"] == "psd":
        _check_psd(config, [min(shape.input[1:]) for shape in shapes])
    _, height, width = shapes[-1].pooled
    if config["readout"] == "pyramid_svm" and 2 ** (config["pyramid_svm.levels"] - 1) > min(height, width):
        raise ConfigError(
            f"pyramid_svm.levels={config['pyramid_svm.levels']} cuts maps of {height}x{width} into more cells than "
            f"they have positions; expected at most {min(height, width).bit_length()}"
        )


def leaves_out_pooling(config: Config) -> bool:
    """Whether the last stage is not pooled: a pyramid of two stages takes the second one as it is, as in the paper."""
    return config["readout"] == "pyramid_svm" and config["stages"] == 2


def is_unread(key: str, config: Config) -> bool:
    """Whether a run does not read this key."""
    learned_length = config["filters"] == "psd" and config.get("psd.length", LATER["psd.length"]) == "learned"
    unread = {
        "sgd": config["readout"] != "sgd",
        "lbfgs": config["readout"] != "lbfgs",
        "pyramid_svm": config["readout"] != "pyramid_svm",
        "psd": config["filters"] != "psd",
        "psd.stage2": config["stages"] == 1,
        **{f"geometry.stage{n}.filter_range": learned_length for n in (1, 2)},
        "optimizer": config["readout"] != "softmax",
        "schedule": config["readout"] != "softmax",
        **{f"trainer.{name}": config["readout"] != "softmax" for name in trainer.ARGUMENTS if name != "accelerator"},
        "callbacks": config["readout"] != "softmax",
        "contrast_norm": "lcn" not in config["model.normalise"],
        "geometry.stage1.window": config["model.pool"] == "max",
        "geometry.stage2.window": config["model.pool"] == "max" or leaves_out_pooling(config),
        "geometry.stage2.step": leaves_out_pooling(config),
        "geometry.stage2": config["stages"] == 1,
    }
    return any(holds and (key == part or key.startswith(f"{part}.")) for part, holds in unread.items())


def check_overrides(config: Config, overridden: Sequence[str]) -> None:
    """Refuse settings that were typed and that this run does not read, or that torch does not accept.

    Raises:
        ConfigError: One line with the key.
    """
    for key in overridden:
        if is_unread(key, config):
            deciding = ["model", "stages", "filters", "readout"]
            if config["filters"] == "psd":
                deciding.append("psd.length")
            settings = ", ".join(f"{each}={config[each]}" for each in deciding)
            raise ConfigError(f"{key}={shown(config.get(key))} has no effect with {settings}; leave it out")
    if any(key.partition(".")[0] in ("optimizer", "schedule") for key in overridden):
        from multistage.settings import optimizer  # torch takes seconds to import; the files' own settings are tested

        optimizer.check(config)
    if any(key.startswith("callbacks.") for key in config):
        from multistage.settings import callbacks  # which imports Lightning

        callbacks.check(config)


def _check_combinations(config: Config) -> None:
    readout, train, validation = config["readout"], config["data.train_per_class"], config["data.validation"]
    if config["refine"] and readout != "softmax":
        raise ConfigError(f"readout={readout} reads frozen features only; add refine=false, or keep readout=softmax")
    if config["hidden"] and readout != "softmax":
        raise ConfigError(f"hidden={config['hidden']} belongs to readout=softmax; with readout={readout} leave it out")
    if train is not None and validation >= train:
        raise ConfigError(
            f"data.validation={validation} leaves nothing to train on; it must be below data.train_per_class={train}"
        )


def _check_psd(config: Config, sides: Sequence[int]) -> None:
    """`sides`: of the maps that each stage sees, pixels."""
    for key, needed in (("filter_bank.squash", "tanh"), ("filter_bank.gain", True)):
        if config[key] != needed:
            raise ConfigError(
                f"{key}={shown(config[key])} cannot be had with filters=psd, which learns g tanh(k * x); leave it out"
            )
    for stage, side in enumerate(sides, 1):
        kernel = config[f"geometry.stage{stage}.kernel"]
        if config["psd.convolutional"] and side < 2 * kernel - 1:
            raise ConfigError(
                f"psd.convolutional=true needs maps of {2 * kernel - 1} pixels a side for "
                f"geometry.stage{stage}.kernel={kernel}, which sees {side}; leave it out"
            )
