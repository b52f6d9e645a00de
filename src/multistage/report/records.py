"""Committed records: one ``result.json`` a line."""

import json
from collections.abc import Iterable
from pathlib import Path

from multistage import runs
from multistage.runs import Record

SETTINGS = {"data": "digits", "model": "abs_lcn_avgpool", "stages": 2, "refine": True, "readout": "softmax"}
"""The settings that a command line needs to repeat a run, with their defaults."""


def collect(folder: Path) -> list[Record]:
    """The records of all finished runs below a folder, in the order of their folders' names."""
    found = (runs.read(path.parent) for path in sorted(folder.rglob(runs.RESULT)))
    return [record for record in found if record is not None]


def to_lines(records: Iterable[Record]) -> str:
    """Records as JSON, one a line, keys sorted."""
    return "".join(json.dumps(record, sort_keys=True, allow_nan=False) + "\n" for record in records)


def from_file(path: Path) -> list[Record]:
    """The records of a ``records.jsonl``."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def command(record: Record) -> str:
    """The command line that repeats a run of these settings."""
    config = record["config"]
    settings = [f"{key}={runs.listing([config[key]])}" for key, default in SETTINGS.items() if config[key] != default]
    return " ".join(["python train.py", *settings])
