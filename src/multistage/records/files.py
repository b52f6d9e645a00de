"""Committed records: files with one ``result.json`` a line."""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path

from multistage.records import runs
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError, one_line
from multistage.registry.words import listing
from multistage.settings import naming
from multistage.storage import durable

MOST = 512 * 2**20
"""Maximum size of a file of records, bytes."""

SETTINGS = {
    "data": "digits",
    "model": "abs_lcn_avgpool",
    "stages": 2,
    "filters": "random",
    "refine": True,
    "readout": "softmax",
    "draw": 0,
    "seed": 0,
}
"""Settings that name a run, with their defaults in `conf/train.yaml` (a test compares them)."""


def collect(folder: Path) -> list[Record]:
    """Return the records of all finished runs below a folder, in the order of their folders' names."""
    found = (runs.read(path.parent) for path in sorted(folder.rglob(runs.RESULT)))
    return [record for record in found if record is not None]


def merge(published: Iterable[Record], collected: Iterable[Record]) -> tuple[list[Record], list[str]]:
    """Merge published with collected records; collected ones replace published ones of the same run.

    Returns:
        All records in the order of their folders' names, and the folders whose published record was replaced.
    """
    before = {path(record): record for record in published}
    now = {path(record): record for record in collected}
    merged = sorted((before | now).items(), key=lambda item: item[0].split("/"))
    replaced = sorted(name for name in before.keys() & now.keys() if before[name] != now[name])
    return [record for _, record in merged], replaced


def restore(records: Iterable[Record], folder: Path) -> int:
    """Write published records as finished runs, so that a sweep does only the others; return how many were written.

    A restored run has its record alone, no weights (`runs.is_whole`). Runs that have begun in the folder stay as they
    are.

    Args:
        records: Published records; the oldest, which have no checksum, are left out.
        folder: ``runs/<name>``.
    """
    places = {folder / path(record): record for record in records if durable.CHECKSUM in record}
    missing = [place for place in places if not runs.has_begun(place)]
    for place in missing:
        with runs.claimed(place):
            runs.put(place, places[place])
    return len(missing)


def to_lines(records: Iterable[Record]) -> str:
    """Write records as JSON, one a line, keys sorted."""
    return "".join(json.dumps(record, sort_keys=True, allow_nan=False) + "\n" for record in records)


def from_file(path: Path) -> list[Record]:
    """Read a ``records.jsonl``.

    Raises:
        MultistageError: A truncated or altered line (the oldest records have no checksum), or one that is not a record
            of this version or an older one.
    """
    records = []
    try:
        lines = durable.read(path, MOST).decode().splitlines()
    except (OSError, ValueError) as error:
        raise MultistageError(f"{path} cannot be read: {one_line(error)}") from None
    for number, line in enumerate(lines, 1):
        try:
            records.append(runs.whole(line, f"{path}, line {number}", stamped=False))
        except ValueError as error:
            raise MultistageError(f"{path}, line {number} is damaged ({error}); publish its run again") from None
    return records


def path(record: Record) -> str:
    """Return the run's folder below ``runs/<name>``; for old records, which lack it, without overrides."""
    return record.get("run") or naming.cell(record["config"])


def command(record: Record) -> str:
    """Return the command line that repeats a run: as recorded, or (old records) from the settings that name it."""
    config = record["config"]
    typed = record.get("overrides")
    if typed is None:
        typed = [f"{key}={listing([config[key]])}" for key, default in SETTINGS.items() if config[key] != default]
    return shlex.join(["python", "train.py", *typed])
