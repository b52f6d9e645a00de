"""Lightning's Trainer from a configuration: ``trainer.NAME`` is its argument NAME; some arguments cannot be set."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from multistage.registry.errors import ConfigError
from multistage.registry.rules import FLAG, NOTHING, Rule, either, number, one_of, whole
from multistage.registry.words import nearest, shown
from multistage.settings import validation


class Option(NamedTuple):
    """A setting: its rule, its default, and whether it affects results."""

    rule: Rule
    default: Any
    bears: bool = True

    @property
    def meaning(self) -> tuple[object, ...]:
        """Return what two equal settings have in common."""
        return self.rule.allowed, self.default, self.bears


IN_FILE = ("max_epochs", "accelerator")
"""Arguments with a value in conf/train.yaml."""

SHARES = ("limit_train_batches", "limit_val_batches", "overfit_batches")
"""Arguments for which 1 means one batch, and 1.0 all batches."""

SHARE = either(whole(1), number(0, 1, exclusive=True))
"""A number of batches, or a fraction of all."""

ARGUMENTS = {
    "max_epochs": Option(either(whole(1, 10**6), one_of("auto")), None),
    "min_epochs": Option(either(whole(1, 10**6), NOTHING), None),
    "min_steps": Option(either(whole(1), NOTHING), None),
    "precision": Option(one_of("32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true"), "32-true"),
    "gradient_clip_val": Option(either(number(0, exclusive=True), NOTHING), None),
    "gradient_clip_algorithm": Option(one_of("norm", "value", None), None),
    "accumulate_grad_batches": Option(whole(1), 1),
    "limit_train_batches": Option(SHARE, 1.0),
    "limit_val_batches": Option(SHARE, 1.0),
    "overfit_batches": Option(either(whole(0), number(0, 0.999, exclusive=True)), 0),
    "accelerator": Option(one_of("auto", "cpu", "gpu"), "auto", bears=False),
    "devices": Option(whole(1, 1024), 1, bears=False),
    "strategy": Option(one_of("auto", "ddp"), "auto", bears=False),
    "num_nodes": Option(one_of(1), 1, bears=False),
    "deterministic": Option(one_of(True, False, "warn", None), None, bears=False),
    "benchmark": Option(one_of(True, False, None), None, bears=False),
    "inference_mode": Option(FLAG, True, bears=False),
    "detect_anomaly": Option(FLAG, False, bears=False),
    "profiler": Option(one_of("simple", "advanced", None), None, bears=False),
    "enable_progress_bar": Option(FLAG, True, bears=False),
    "log_every_n_steps": Option(whole(1), 50, bears=False),
}

REFUSED = {
    "logger": "dashboards are chosen by logger=wandb or logger=tensorboard",
    "callbacks": "they are chosen by callbacks=NAME, a file of conf/callbacks",
    "plugins": "checkpoints and processes are this project's",
    "enable_checkpointing": "each epoch leaves a checkpoint in the run's folder until the run is finished",
    "default_root_dir": "files lie in the run's folder; output=... chooses where that is",
    "enable_model_summary": "the record has the number of parameters",
    "max_time": "a result must not depend on a clock; use trainer.max_epochs",
    "max_steps": "an epoch that ends early has no validation and cannot resume; use trainer.max_epochs and "
    "trainer.limit_train_batches",
    "fast_dev_run": "it leaves no run; use trainer.max_epochs=1 trainer.limit_train_batches=1",
    "barebones": "it leaves out what a record is made of",
    "val_check_interval": "validation images choose among epochs, and are looked at once in each",
    "check_val_every_n_epoch": "validation images choose among epochs, and are looked at once in each",
    "num_sanity_val_steps": "validation images choose among epochs, and are looked at once in each",
    "limit_test_batches": "all test images are looked at, once, at the end",
    "limit_predict_batches": "all test images are looked at, once, at the end",
    "use_distributed_sampler": "each batch is shared out among devices here, so that its samples stay the same",
    "sync_batchnorm": "several devices and batch normalisation are not combined here",
    "reload_dataloaders_every_n_epochs": "samples are in memory",
    "enable_autolog_hparams": "dashboards show all settings",
    "model_registry": "weights lie in the run's folder",
}
"""Arguments of Trainer that cannot be set, each with the reason."""


def check(config: Mapping[str, Any]) -> None:
    """Refuse arguments that Trainer does not have, that cannot be set here, or that do not fit together.

    Raises:
        ConfigError: One line with the key.
    """
    for key, value in config.items():
        section, _, name = key.partition(".")
        if section != "trainer":
            continue
        if name in REFUSED:
            raise ConfigError(f"{key}={shown(value)} cannot be set: {REFUSED[name]}")
        if name not in ARGUMENTS:
            hint = nearest(key, map("trainer.{}".format, ARGUMENTS))
            raise ConfigError(f"{key}={shown(value)} is not an argument of Lightning's Trainer{hint}")
    if value_of(config, "gradient_clip_algorithm") is not None and value_of(config, "gradient_clip_val") is None:
        raise ConfigError("trainer.gradient_clip_algorithm has no effect alone; add trainer.gradient_clip_val=NUMBER")
    part, mixup = value_of(config, "overfit_batches"), config.get("augment.mixup")
    if part and mixup:
        raise ConfigError(
            f"trainer.overfit_batches={part} with augment.mixup={mixup}: images would be mixed with all others; "
            "add augment.mixup=0"
        )


def value_of(config: Mapping[str, Any], name: str) -> Any:
    """Return the value of an argument of Trainer: the configuration's, else the default."""
    return config.get(f"trainer.{name}", ARGUMENTS[name].default)


def is_default(key: str, value: Any) -> bool:
    """Whether a key is an argument of Trainer at its default, so that it can be left out."""
    section, _, name = key.partition(".")
    known = ARGUMENTS.get(name) if section == "trainer" and name not in IN_FILE else None
    return known is not None and value == known.default and type(value) is type(known.default)


def bears_on_result(name: str) -> bool:
    """Whether this argument of Trainer affects results, by more than rounding."""
    return name not in ARGUMENTS or ARGUMENTS[name].bears


def idle(name: str, config: Mapping[str, Any]) -> str:
    """Return why an argument of Trainer has no effect, worded to follow "has no effect"; "" if it has one."""
    if name == "limit_val_batches" and not validation.possible(config):
        return "with data.validation=0"
    stops = any(key.startswith("callbacks.") and str(config[key]).endswith(".EarlyStopping") for key in config)
    if name in ("min_epochs", "min_steps") and not stops:
        return "without callbacks=early_stopping"
    return ""
