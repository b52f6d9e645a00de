"""A run's folder, its identity and its record.

    <output>/<name>/<data>/<model>/<stages>/<filters>[-refined]/<readout>/draw-<n>-seed-<m>[-<override>...]/
        config.yaml   metrics.csv   weights.safetensors   result.json

A folder says what the run is, never when it ran. The record, ``result.json``, is written last and atomically: a run is
finished if and only if it has one. A run's identity is what bears on its result: configuration, images and split, and
the version of the code that computes results.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from multistage.config import Config, bears_on_result, listing
from multistage.errors import ConfigError, MultistageError

if TYPE_CHECKING:
    from multistage.network import MultiStageNet

Record = dict[str, Any]

RESULTS_VERSION = 1
"""Raised by hand whenever a change of the code changes results."""

CONFIG, METRICS, WEIGHTS, RESULT = "config.yaml", "metrics.csv", "weights.safetensors", "result.json"

IN_PATH = ("model", "stages", "data", "filters", "refine", "readout", "draw", "seed")


def cell(config: Config) -> str:
    """Which run it is, apart from overrides: the folder below ``<output>/<name>``."""
    filters = f"{config['filters']}-refined" if config["refine"] else config["filters"]
    draw = f"draw-{config['draw']}-seed-{config['seed']}"
    return f"{config['data']}/{config['model']}/{config['stages']}/{filters}/{config['readout']}/{draw}"


def name(config: Config, folder: Path) -> str:
    """Which run it is, overrides included: its folder below ``<output>/<name>``."""
    return folder.relative_to(Path(config["output"]) / config["name"]).as_posix()


def overridden(config: Config, defaults: Config) -> list[str]:
    """Keys that bear on the result, differ from the defaults and are not already part of `cell`."""
    removed = [key for key in defaults if key not in config and key.rpartition(".")[0] not in config]
    return [
        key
        for key in (*config, *removed)
        if bears_on_result(key) and key not in IN_PATH and config.get(key, "absent") != defaults.get(key, "absent")
    ]


def folder(config: Config, defaults: Config) -> Path:
    """The run's folder.

    Args:
        config: The run's configuration.
        defaults: The configuration without overrides: what differs from it and bears on the result is appended to the
            folder's name, so that two different runs never share one.
    """
    changed = overridden(config, defaults)
    if config["data"] == "image_folder":
        changed.append("data.root")
    suffix = "".join(f"-{_short(key, {**defaults, **config})}-{listing([config.get(key)])}" for key in changed)
    suffix = re.sub(r"[^A-Za-z0-9_.+-]", "_", suffix)
    if len(suffix) > 180:  # names of files end at 255 bytes
        suffix = f"{suffix[:160]}-{hashlib.sha256(suffix.encode()).hexdigest()[:12]}"
    path = Path(config["output"]) / config["name"] / cell(config)
    return path.with_name(path.name + suffix)


def _short(key: str, keys: Config) -> str:
    """The last parts of a key, as many as it takes to be the only one: ``lr`` for ``optimizer.lr``."""
    parts = key.split(".")
    for count in range(1, len(parts)):
        tail = ".".join(parts[-count:])
        if sum(other == tail or other.endswith(f".{tail}") for other in keys) == 1:
            return tail
    return key


def identity(split_hash: str, data_hash: str) -> Record:
    """What bears on the result besides the configuration."""
    return {"results_version": RESULTS_VERSION, "split_hash": split_hash, "data_hash": data_hash}


def finished(folder: Path, config: Config, identity: Record) -> Record | None:
    """The record of this very run, if it is finished and is not to be overwritten.

    Raises:
        ConfigError: A finished run of another identity lies there; says what differs.
    """
    record = read(folder)
    if record is None or config["overwrite"]:
        return None
    before = {key: value for key, value in record["config"].items() if bears_on_result(key)}
    now = {key: value for key, value in config.items() if bears_on_result(key)}
    before |= {key: record.get(key) for key in identity}
    now |= identity
    differing = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if differing:
        details = ", ".join(f"{key} was {before.get(key)}, is {now.get(key)}" for key in differing)
        raise ConfigError(
            f"{folder} holds another run ({details}); choose another name=..., or replace it with overwrite=true"
        )
    return record


def start(folder: Path, config: Config) -> None:
    """Make the run's folder, empty of results, and say in it what will run.

    Raises:
        MultistageError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (RESULT, WEIGHTS, METRICS, "last.ckpt", "best.ckpt"):
            (folder / name).unlink(missing_ok=True)
        for name in ("wandb", "tensorboard"):
            shutil.rmtree(folder / name, ignore_errors=True)
        _write(folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False))
    except OSError as error:
        raise MultistageError(f"{folder} cannot be written: {error.strerror}") from None


def finish(folder: Path, record: Record) -> Record:
    """Write the record of a run, completed by where its code came from; the run is finished."""
    complete = {**record, **_commit()}
    _write(folder / RESULT, json.dumps(complete, indent=1, allow_nan=False) + "\n")
    return complete


def read(folder: Path) -> Record | None:
    """The record of a finished run, None if it is not finished.

    Raises:
        MultistageError: A record that is damaged.
    """
    path = folder / RESULT
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or not {"config", "metrics", "per_class"} <= record.keys():
            raise ValueError("fields are missing")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, OSError) as error:
        raise MultistageError(f"{path} is damaged ({error}); remove {folder} and run again") from None
    return record


def load(folder: Path | str) -> "MultiStageNet":
    """The trained network of a finished run, in eval mode, with its `class_names`.

    Args:
        folder: The run's folder.

    Raises:
        MultistageError: Not a finished run, or one whose files do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from multistage import network

    record = read(Path(folder))
    if record is None:
        raise MultistageError(f"{folder} is not a finished run; expected a folder with {RESULT} and {WEIGHTS}")
    names = tuple(entry["name"] for entry in record["per_class"])
    net = network.from_config(record["config"], len(names))
    path = Path(folder) / WEIGHTS
    try:
        net.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise MultistageError(f"{path} is missing or damaged ({str(error).splitlines()[0]})") from None
    net.class_names = names
    return net.eval()


def summary(record: Record, folder: Path) -> str:
    """What a person wants to know at the end of a run, and what to type next."""
    metrics, seconds = record["metrics"], record["seconds"]
    phases = ", ".join(f"{phase} {value:.1f}" for phase, value in seconds.items())
    validation = metrics.get("validation_accuracy")
    lines = {
        "run": record["run"],
        "test accuracy": f"{metrics['test_accuracy']:.2%} (mean per class {metrics['test_mean_class_accuracy']:.2%})",
        "validation": None if validation is None else f"{validation:.2%}",
        "training": f"{metrics['train_accuracy']:.2%}",
        "parameters": f"{record['parameters']:,}",
        "seconds": f"{sum(seconds.values()):.1f} ({phases}) on {record['device']}",
        "files": str(folder),
        "next": f"python predict.py {folder} IMAGE",
    }
    return "\n".join(f"{name:14} {text}" for name, text in lines.items() if text is not None)


def line(record: Record) -> str:
    """One line about a finished run, for sweeps."""
    metrics, seconds = record["metrics"], sum(record["seconds"].values())
    return f"{record['run']}  test {metrics['test_mean_class_accuracy']:.2%} a class  {seconds:.1f} s"


def comparison(records: Sequence[Record]) -> str:
    """A table of several runs, best first: the settings in which they differ, and what came out."""
    keys = [key for key in records[0]["config"] if len({str(r["config"].get(key)) for r in records}) > 1]
    contents = tuple(f"{key}." for key in ("model", "geometry", "data") if key in keys)  # follow from their preset
    keys = [key for key in keys if bears_on_result(key) and not key.startswith(contents)] or ["model"]
    columns = [*keys, "test", "per class", "training", "parameters", "seconds"]
    best_first = sorted(records, key=lambda r: -r["metrics"]["test_mean_class_accuracy"])
    rows = [
        [
            *(listing([r["config"].get(key)]) for key in keys),
            f"{r['metrics']['test_accuracy']:.2%}",
            f"{r['metrics']['test_mean_class_accuracy']:.2%}",
            f"{r['metrics']['train_accuracy']:.2%}",
            f"{r['parameters']:,}",
            f"{sum(r['seconds'].values()):.1f}",
        ]
        for r in best_first
    ]
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    return "\n".join(
        "  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True)).rstrip() for row in [columns, *rows]
    )


def _write(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as scratch:
        new = Path(scratch) / path.name
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def _commit() -> Record:
    """Commit of the code and whether files differed from it; None outside a repository."""

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None

    changes = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if changes is None else changes != ""}
