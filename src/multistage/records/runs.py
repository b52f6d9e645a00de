"""A run's identity, state and record, read from its folder (`naming` has its name).

    config.yaml  metrics.csv  last.ckpt  .begun  while it runs
    weights.safetensors  filters.safetensors  confusion.csv    at its end, with
    predictions.csv  mistakes.png               each test image, the most confident mistakes, and last of all:
    result.json                                 it is finished
    failure.json                                it failed: it cannot be done, or diverged

A run's identity is everything that affects its result: configuration, images, split, and `RESULTS_VERSION`.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from multistage.records import provenance, schema
from multistage.registry.errors import ConfigError, MultistageError, one_line
from multistage.settings.config import bearing
from multistage.settings.tree import Config
from multistage.storage import durable

log = logging.getLogger(__name__)

Record = dict[str, Any]
State = Literal["finished", "unfinished", "failed"]

RESULTS_VERSION = 1
"""Increased manually whenever a code change affects results."""

CONFIG, METRICS, CONFUSION, WEIGHTS = "config.yaml", "metrics.csv", "confusion.csv", "weights.safetensors"
FILTERS, PREDICTIONS, MISTAKES = "filters.safetensors", "predictions.csv", "mistakes.png"
RESULT, FAILURE, LOCK = "result.json", "failure.json", ".lock"
CHECKPOINT, PREVIOUS = "last.ckpt", "previous.ckpt"

ADVICE = "add overwrite=changed to replace it, or name=NEW to keep both"


class BusyError(MultistageError):
    """Another process is doing this run."""


def identity(split_hash: str | None = None, data_hash: str | None = None) -> Record:
    """Return what affects the result besides the configuration, as far as it is known."""
    known = {"results_version": RESULTS_VERSION, "split_hash": split_hash, "data_hash": data_hash}
    return {name: value for name, value in known.items() if value is not None}


def differences(before: Record, config: Config, identity: Record) -> list[str]:
    """Describe each difference between a stored run and this one that affects the result.

    Args:
        before: A record, a note of failure or a checkpoint's origin: ``config`` and the keys of `identity`.
        config: The configuration of this run.
        identity: The identity of this run, as far as it is known.
    """
    old = bearing(before["config"]) | {k: before.get(k) for k in identity}
    new = bearing(config) | identity
    differing = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    images = ["the images or their names have changed"] if "data_hash" in differing else []
    implied = ("data_hash", "split_hash") if images else ()
    return images + [f"{k} was {old.get(k)}, is {new.get(k)}" for k in differing if k not in implied]


def finished(folder: Path, config: Config, identity: Record) -> Record | None:
    """Return the record of this run if it is finished and not to be overwritten.

    Args:
        folder: The run's folder.
        config: The run's configuration; ``overwrite`` may be false, true, or ``changed``: only a different run.
        identity: The run's identity, as far as it is known.

    Raises:
        ConfigError: The folder holds a finished run with another identity or version; the message says what differs.
    """
    if config["overwrite"] is True:
        return None
    try:
        record = read(folder)
    except schema.RecordError as error:  # intact: not to be replaced unasked
        if config["overwrite"] is False:
            raise ConfigError(f"{error}; {ADVICE}") from None
        return None
    except MultistageError as error:
        log.warning("%s; it counts as unfinished", error)
        return None
    if record is None:
        return None
    differing = differences(record, config, identity)
    if differing and config["overwrite"] is False:
        raise another(folder, differing)
    return None if differing else record


def another(folder: Path, differing: list[str]) -> ConfigError:
    """Return the error for a folder that holds another run, with what differs."""
    return ConfigError(f"{folder} holds another run ({', '.join(differing)}); {ADVICE}")


def state(folder: Path) -> State:
    """Return whether the run is finished, failed, or unfinished (which includes not started)."""
    if (folder / RESULT).exists():
        return "finished"
    return "failed" if failure(folder) is not None else "unfinished"


@contextmanager
def claimed(folder: Path, patience: float = 0.5) -> Iterator[None]:
    """Claim a run, so that no other process does it (context manager); the claim ends with the process in any case.

    Args:
        folder: The run's folder; created if it does not exist.
        patience: Seconds to wait, because `is_busy` in another process claims it briefly.

    Raises:
        BusyError: Another process is doing it.
        MultistageError: The folder cannot be created.
    """
    from filelock import Timeout

    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(durable.locked(folder / LOCK, patience))
        except Timeout:
            raise BusyError(f"{folder} is being done by another process") from None
        except OSError as error:
            raise MultistageError(f"{folder} cannot be written: {error.strerror}") from None
        yield


def is_busy(folder: Path) -> bool:
    """Whether a process is doing this run now."""
    if not (folder / LOCK).exists():
        return False
    try:
        with claimed(folder, patience=0):
            return False
    except BusyError:
        return True


def forget_checkpoints(folder: Path) -> None:
    """Remove files that only an unfinished run needs."""
    for name in (CHECKPOINT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def finish(folder: Path, record: Record) -> Record:
    """Write the record of a run, with provenance and checksum; this marks the run as finished."""
    complete = durable.stamp({**record, **provenance.of_result()})
    put(folder, complete)
    forget_checkpoints(folder)
    return complete


def put(folder: Path, record: Record) -> None:
    """Write a complete record; this marks the run as finished."""
    _write_json(folder / RESULT, record)


def has_begun(folder: Path) -> bool:
    """Whether the run is finished, failed or unfinished here, and not just planned."""
    return any((folder / name).exists() for name in (CONFIG, RESULT, FAILURE))


def is_whole(folder: Path) -> bool:
    """Whether a finished run has its files beside its record; one restored from a published record has none."""
    return (folder / RESULT).exists() and (folder / CONFIG).exists()


def fail(folder: Path, config: Config, identity: Record, error: Exception) -> None:
    """Mark a run as failed, with the reason."""
    content = {"reason": one_line(error), "time": time.time(), "config": dict(config), **identity}
    _write_json(folder / FAILURE, durable.stamp(content))


def failure(folder: Path) -> Record | None:
    """Return why a run failed: ``reason``, ``config``, identity; None if it did not fail (or the note is damaged)."""
    try:
        note = schema.parsed(durable.read(folder / FAILURE, schema.MOST))
        durable.check_stamp(note)
        schema.check_note(note)
    except (OSError, ValueError, schema.RecordError):
        return None
    return note


def read(folder: Path) -> Record | None:
    """Return the record of a finished run; None if it is not finished.

    Raises:
        MultistageError: The record is damaged.
        RecordError: It is intact, but not as this version or an older one writes it.
    """
    path = folder / RESULT
    try:
        return whole(durable.read(path, schema.MOST), path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = error.strerror
    except ValueError as error:
        reason = str(error)
    raise MultistageError(f"{path} is damaged ({reason}); remove it and run again")


def whole(content: str | bytes, source: object, stamped: bool = True) -> Record:
    """Parse and check a record.

    Args:
        content: JSON.
        source: Where it comes from, for messages.
        stamped: Whether it must have a checksum; the oldest published records have none.

    Raises:
        ValueError: It was truncated or altered.
        RecordError: It is intact, but not as this version or an older one writes it.
    """
    record = schema.parsed(content)
    if stamped or durable.CHECKSUM in record:
        durable.check_stamp(record)
    try:
        schema.check(record, RESULTS_VERSION)
    except schema.RecordError as error:
        raise schema.RecordError(f"{source} cannot be read: {error}") from None
    return record


def _write_json(path: Path, content: Record) -> None:
    durable.write(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
