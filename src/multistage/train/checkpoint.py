"""Checkpoints of unfinished runs (sealed, two generations, only tensors and plain values), and resuming from them."""

import io
import logging
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from pytorch_lightning.plugins.io import CheckpointIO

from multistage.records import beginnings, provenance, runs
from multistage.records.provenance import Stretch
from multistage.records.runs import Record
from multistage.registry.errors import ConfigError, MultistageError
from multistage.settings.tree import Config
from multistage.storage import durable

log = logging.getLogger(__name__)

ORIGIN = "multistage_run"
"""The field of a checkpoint that identifies its run."""


class Resumable(NamedTuple):
    """Where training leaves its checkpoints.

    Attributes:
        folder: The run's folder.
        origin: The run's configuration (``config``), identity and ``stretches``, stored in each checkpoint.
        checkpoint: Checkpoint to resume from; None: start from the beginning.
    """

    folder: Path
    origin: Record
    checkpoint: Path | None = None


class SealedFiles(CheckpointIO):
    """Lightning's checkpoint files: written atomically, sealed, the previous one kept."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        path = Path(path)
        if path.exists():
            path.replace(path.with_name(runs.PREVIOUS))
        durable.write(path, durable.seal(buffer.getvalue()))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return read(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint, on the CPU.

    Raises:
        ValueError: It was truncated or altered, or holds more than tensors and plain values.
    """
    with durable.opened(path) as file:
        content = durable.unseal(file.read())
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises errors of many kinds
        raise ValueError(f"torch refuses it: {type(error).__name__}") from None


def origin(path: Path) -> Record | None:
    """Return configuration and identity of a checkpoint's run; None if it is missing or damaged.

    A damaged one is named in a warning; the run resumes from the one before it, or starts again.
    """
    try:
        found: Record | None = read(path).get(ORIGIN)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("%s is damaged (%s); not used", path, error)
        return None
    return found


def stretches(path: Path | None, now: Stretch) -> list[Stretch]:
    """Return the circumstances of all stretches of a run, oldest first, the current one last.

    Args:
        path: The checkpoint that it resumes from, if any.
        now: The current circumstances.
    """
    left = {} if path is None else read(path)
    before = left.get(ORIGIN, {}).get(provenance.STRETCHES, [])
    return provenance.stretches(before, now, left.get("epoch", -1) + 1)


def begin(folder: Path, config: Config, identity: Record) -> Path | None:
    """Prepare the run's folder, count the start, and find the checkpoint of an interrupted run of the same identity.

    Args:
        folder: The run's folder, claimed.
        config: The run's configuration.
        identity: The run's complete identity.

    Returns:
        The last intact checkpoint, or None: the run starts from the beginning.

    Raises:
        ConfigError: The folder has a checkpoint of another run; the message says what differs.
        MultistageError: The folder cannot be written.
    """
    good = None
    if config["overwrite"] is not True:
        for path in (folder / runs.CHECKPOINT, folder / runs.PREVIOUS):
            before = origin(path)
            if before is None:
                continue
            try:
                differing = runs.differences(before, config, identity)
            except ConfigError as error:  # this version does not read its settings
                differing = [str(error)]
            if not differing:
                good = path.replace(folder / runs.CHECKPOINT)
                break
            if config["overwrite"] is False:
                raise runs.another(folder, differing)
    try:
        results = (runs.WEIGHTS, runs.FILTERS, runs.CONFUSION, runs.PREDICTIONS, runs.MISTAKES)
        for name in (runs.RESULT, runs.FAILURE, *results):
            (folder / name).unlink(missing_ok=True)
        if good is None:
            runs.forget_checkpoints(folder)
            (folder / runs.METRICS).unlink(missing_ok=True)
        durable.write(folder / runs.CONFIG, yaml.safe_dump(dict(config), sort_keys=False).encode())
        beginnings.begin(folder, good)
    except OSError as error:
        raise MultistageError(f"{folder} cannot be written: {error.strerror}") from None
    return good
