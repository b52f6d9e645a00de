"""``angles.json``: correctly classified views of each run on COIL-20, by angle to the nearest labelled view.

Records do not contain predictions of single images. ``predictions.csv`` in a run's folder does; it is counted when the
run is published. All views that are not test views are labelled.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from multistage.data.sets.coil20 import DEGREES, VIEWS, angle, apart
from multistage.records import runs
from multistage.records.files import path
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError, one_line
from multistage.storage import durable

FILE = "angles.json"

MOST = 10**6
"""Largest accepted size of a file of predictions, bytes."""

Counts = dict[int, tuple[int, int]]
"""From degrees to (correct, tested)."""


def publish(run_folders: Path, target: Path, records: Sequence[Record]) -> None:
    """Count an experiment's runs on COIL-20; keep earlier counts of runs whose folder is missing.

    Args:
        run_folders: ``runs/<name>``.
        target: ``results/<name>``.
        records: All published records.

    Raises:
        MultistageError: Predictions are missing, damaged, or do not match the record.
    """
    before = read(target)
    found = {}
    for record in filter(_is_countable, records):
        name = path(record)
        if runs.is_whole(run_folders / name):
            found[name] = _of_run(run_folders / name / runs.PREDICTIONS, record)
        elif name in before:
            found[name] = before[name]
    if found:
        lines = (f"{json.dumps(name)}: {json.dumps(counts)}" for name, counts in sorted(found.items()))
        durable.update(target / FILE, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read(target: Path) -> dict[str, Counts]:
    """Read the counts by run.

    Raises:
        MultistageError: The file is damaged.
    """
    file = target / FILE
    if not file.exists():
        return {}
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: {int(degrees): (int(right), int(tested)) for degrees, (right, tested) in counts.items()}
            for name, counts in entries.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise MultistageError(f"{file} is damaged ({one_line(error)}); publish its runs again") from None


def counted(rows: Iterable[Mapping[str, str]]) -> Counts:
    """Count test views by their angle to the nearest labelled view.

    Args:
        rows: Each with ``image``, ``class`` and ``predicted``.

    Raises:
        ValueError: A name that is not a view's, or an object with no labelled view.
    """
    tested: dict[str, dict[int, bool]] = {}
    for row in rows:
        thing, degrees = angle(row["image"])
        tested.setdefault(thing, {})[degrees] = row["predicted"] == row["class"]
    found: dict[int, list[bool]] = {}
    for thing, views in tested.items():
        labelled = {DEGREES * view for view in range(VIEWS)} - views.keys()
        if not labelled:
            raise ValueError(f"all views of {thing} test")
        for degrees, right in views.items():
            found.setdefault(min(apart(degrees, other) for other in labelled), []).append(right)
    return {degrees: (sum(right), len(right)) for degrees, right in sorted(found.items())}


def _is_countable(record: Record) -> bool:
    config = record["config"]
    return config["data"] == "coil20" and config["data.test_per_class"] is None and not config["data.validation"]


def _of_run(file: Path, record: Record) -> Counts:
    try:
        counts = counted(csv.DictReader(durable.read(file, MOST).decode().splitlines()))
    except (OSError, ValueError, KeyError) as error:
        raise MultistageError(f"{file} is missing or damaged ({one_line(error)})") from None
    expected = [sum(entry[name] for entry in record["per_class"]) for name in ("correct", "total")]
    if [sum(count) for count in zip(*counts.values(), strict=True)] != expected:
        raise MultistageError(f"{file} is not of this run: its record has {expected[0]} of {expected[1]} views right")
    return counts
