"""Artifacts shown on pages: confusion matrices, first-stage filters and trained weights, stored next to their records.

    results/<name>/artifacts/<run, with __ for />/confusion.csv   filters.safetensors   weights.safetensors

For each data set, artifacts of three runs are published: the best run, the best fine-tuned run, and the best run with
frozen unsupervised filters. Best means highest test accuracy, selected afterwards: these runs are illustrations; tables
and statistics use all runs. Results named in `WITH_WEIGHTS` publish all runs, with weights.
"""

import csv
import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from multistage.records import runs
from multistage.records.cells import accuracy
from multistage.records.files import path
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError, one_line
from multistage.storage import durable
from multistage.train import restore

if TYPE_CHECKING:
    from multistage.network.net import MultiStageNet

log = logging.getLogger(__name__)

ARTIFACTS = "artifacts"

LIMIT = 300_000
"""Largest size of a published file, bytes."""

WITH_WEIGHTS = ("explorer",)
"""Results of small models that other pages run: all their runs have artifacts, with weights."""


def folder(target: Path, record: Record) -> Path:
    """Return the folder of a run's artifacts, which need not exist.

    Args:
        target: ``results/<name>``.
        record: The run's record.
    """
    return target / ARTIFACTS / path(record).replace("/", "__")


def best(records: Iterable[Record]) -> Record | None:
    """Return the run with the highest mean per-class test accuracy; among equals the first by name."""
    return min(records, key=lambda r: (-accuracy(r), path(r)), default=None)


def best_refined(records: Iterable[Record]) -> Record | None:
    """Return the best run whose filters were trained with labels."""
    return best(record for record in records if record["config"]["refine"])


def best_learned(records: Iterable[Record]) -> Record | None:
    """Return the best run with frozen unsupervised filters."""
    return best(r for r in records if r["config"]["filters"] == "psd" and not r["config"]["refine"])


def illustrated(records: Sequence[Record]) -> list[Record]:
    """Return the runs whose artifacts are published: for each data set the best of each kind."""
    chosen: dict[str, Record] = {}
    for data in sorted({record["config"]["data"] for record in records}):
        of_data = [record for record in records if record["config"]["data"] == data]
        for record in (best(of_data), best_refined(of_data), best_learned(of_data)):
            if record is not None:
                chosen[path(record)] = record
    return list(chosen.values())


def publish_best(run_folders: Path, target: Path, records: Sequence[Record]) -> list[Path]:
    """Publish the artifacts of an experiment's best runs (of all runs if with weights), and remove others.

    Args:
        run_folders: ``runs/<name>``; earlier artifacts of missing runs are kept.
        target: ``results/<name>``.
        records: All published records.

    Returns:
        The artifact folders that were written.

    Raises:
        MultistageError: Filters or weights of a run are missing or damaged.
    """
    chosen = records if target.name in WITH_WEIGHTS else illustrated(records)
    here = [run_folders / path(record) for record in chosen]
    written = [publish(run_folder, target) for run_folder in here if runs.is_whole(run_folder)]
    for old in set((target / ARTIFACTS).glob("*")) - {folder(target, record) for record in chosen}:
        shutil.rmtree(old)
    return written


def publish(run_folder: Path, target: Path) -> Path:
    """Copy a finished run's confusion matrix, first-stage kernels before and after training, and weights if published.

    Args:
        run_folder: The run's folder.
        target: ``results/<name>``.

    Raises:
        MultistageError: The run is not finished, or its filters or weights are missing or damaged.
    """
    record = runs.read(run_folder)
    if record is None:
        raise MultistageError(f"{run_folder} is not a finished run; expected a folder with {runs.RESULT}")
    kept = folder(target, record)
    kept.mkdir(parents=True, exist_ok=True)
    needed = [runs.FILTERS] if record["config"]["refine"] else []  # older runs with frozen filters have no kernels
    if target.name in WITH_WEIGHTS:
        restore.restore(run_folder / runs.WEIGHTS, record)  # rejects weights that do not match the record
        needed.append(runs.WEIGHTS)
    for name in (runs.CONFUSION, runs.FILTERS, *needed):
        source = run_folder / name
        if name in needed or source.exists():
            _keep(source, kept / name)
    return kept


def _keep(source: Path, kept: Path) -> None:
    """Copy a file that pages can show; skip files that are too large, with a warning.

    Raises:
        MultistageError: The file is missing or damaged.
    """
    content = _content(source)
    if content is None:
        kept.unlink(missing_ok=True)
        log.warning("%s is left out: at most %d bytes are published", source, LIMIT)
        return
    if source.name in READERS:
        _read(source, content)
    durable.write(kept, content)


def _content(file: Path) -> bytes | None:
    """Read a file; None if it is larger than `LIMIT`."""
    try:
        return durable.read(file, LIMIT)
    except OSError as error:
        raise MultistageError(f"{file} is missing or damaged ({error.strerror})") from None
    except ValueError:
        return None


def _read(file: Path, content: bytes | None) -> Any:
    """Parse a file's content.

    Raises:
        MultistageError: The file is damaged.
    """
    try:
        return READERS[file.name](content or b"")
    except (ValueError, KeyError, SafetensorError, csv.Error) as error:
        raise MultistageError(f"{file} is missing or damaged ({one_line(error)})") from None


def _kernels(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    kernels = load(content)
    before, after = kernels["before"], kernels["after"]
    for found in (before, after):
        if found.dtype != np.float32 or found.ndim != 4 or found.size == 0 or not np.isfinite(found).all():
            raise ValueError("its kernels are not finite numbers [maps, fan_in, k, k]")
    if before.shape != after.shape:
        raise ValueError("its kernels before and after training have other sizes")
    return before, after


def _confusion(content: bytes) -> tuple[list[str], np.ndarray]:
    (_, *names), *rows = csv.reader(content.decode().splitlines())
    counts = [[int(count) for count in row[1:]] for row in rows]
    if [len(row) for row in counts] != [len(names)] * len(names) or not all(map(str.isprintable, names)):
        raise ValueError("it is not a table of counts by class")
    if any(not 0 <= count < 2**31 for row in counts for count in row):
        raise ValueError("its counts are not numbers of images")
    return names, np.array(counts).reshape(len(names), -1)


READERS: dict[str, Callable[[bytes], Any]] = {runs.FILTERS: _kernels, runs.CONFUSION: _confusion}


def filters(target: Path, record: Record) -> tuple[np.ndarray, np.ndarray] | None:
    """Read first-stage kernels [maps, fan_in, k, k] before and after training, if published.

    Raises:
        MultistageError: The file is damaged.
    """
    file = folder(target, record) / runs.FILTERS
    return _read(file, _content(file)) if file.exists() else None


def confusion(target: Path, record: Record) -> tuple[list[str], np.ndarray] | None:
    """Read names of the classes and counts [true class, predicted class], if published.

    Raises:
        MultistageError: The file is damaged.
    """
    file = folder(target, record) / runs.CONFUSION
    return _read(file, _content(file)) if file.exists() else None


def network(target: Path, record: Record) -> "MultiStageNet | None":
    """Load the trained network in eval mode, with its `class_names`, if its weights are published.

    Raises:
        MultistageError: The weights do not match the record.
    """
    file = folder(target, record) / runs.WEIGHTS
    return restore.restore(file, record) if file.exists() else None
