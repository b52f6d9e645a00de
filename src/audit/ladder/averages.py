"""Averages of several trained networks: what ``scripts/ensemble.py --json`` wrote to ``results/ladder/averages``.

An average is not a rung: it is several networks, each trained alone. Its gain is over the best of these networks.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from audit.ladder.climb import Ladder
from audit.tables.tables import emphasised, plus_minus, rows
from multistage.records.cells import METRIC
from multistage.records.files import path
from multistage.records.intervals import Measured, mean_of
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError, one_line
from multistage.storage import durable

FOLDER = "averages"


class Average(NamedTuple):
    """An average on one draw: accuracies in %, mean over classes.

    Attributes:
        accuracy: Of the average.
        alone: Of each network, in the order of their rungs' names.
        rest: Of the average on all images that remain; None if these are the test images.
    """

    accuracy: float
    alone: tuple[float, ...]
    rest: float | None


def read(folder: Path) -> dict[str, Record]:
    """Return all averages by the names of their files.

    Args:
        folder: ``results/ladder``.

    Raises:
        MultistageError: A damaged file.
    """
    return {file.name: _read(file) for file in sorted((folder / FOLDER).glob("*.json"))}


def retested(averages: Mapping[str, Record], records: Iterable[Record]) -> dict[int, float]:
    """Return accuracies of runs on all images that remain, in %, by draw, where an average tested them again.

    A network that was trained again for an average, with another result, is not the run.
    """
    own = {path(record): record["metrics"][METRIC] for record in records}
    return {
        average["draw"]: _accuracy(run["remaining"])
        for average in averages.values()
        for run in average["runs"]
        if "remaining" in run and own.get(run["run"]) == run["recorded"][METRIC]
    }


def table(averages: Mapping[str, Record], ladder: Ladder) -> str:
    """Markdown: one row for each set of rungs whose networks were averaged, the most accurate first.

    Args:
        averages: From `read`.
        ladder: The rungs.

    Raises:
        MultistageError: A network that is no published run of a rung, or two averages for one draw.
    """
    names = {path(record): ladder.name(step) for step in ladder.steps if step.some for record in step.some.records}
    found: dict[tuple[str, ...], dict[int, Average]] = defaultdict(dict)
    for file, record in averages.items():
        if unknown := next((run["run"] for run in record["runs"] if run["run"] not in names), None):
            raise MultistageError(f"{file} averages {unknown}, which is no run of a rung; publish that run first")
        runs = sorted(record["runs"], key=lambda run: names[run["run"]])
        draws = found[tuple(names[run["run"]] for run in runs)]
        if record["draw"] in draws:
            raise MultistageError(f"{file} averages the same rungs on draw {record['draw']} as another file")
        rest = _accuracy(record["remaining"]) if "remaining" in record else None
        draws[record["draw"]] = Average(
            _accuracy(record["metrics"]), tuple(_accuracy(run["metrics"]) for run in runs), rest
        )
    lines = [_row(members, list(draws.values())) for members, draws in found.items()]
    header = ["average of", "draws", "accuracy", "gain over the best of them", "all other images"]
    return rows(header, [line for _, line in sorted(lines, key=lambda each: -each[0])]) if lines else "None yet."


def _row(members: tuple[str, ...], averages: list[Average]) -> tuple[float, list[object]]:
    best = max(zip(*(each.alone for each in averages), strict=True), key=sum)
    gain = mean_of([each.accuracy - alone for each, alone in zip(averages, best, strict=True)], "gain")
    mean = _mean([each.accuracy for each in averages])
    rest = [each.rest for each in averages if each.rest is not None]
    line = [" and ".join(members), len(averages), plus_minus(mean), emphasised(gain)]
    return mean.value, [*line, plus_minus(_mean(rest)) if rest else "–"]


def _mean(accuracies: list[float]) -> Measured:
    return mean_of(accuracies, "accuracy", "%")


def _accuracy(metrics: dict[str, Any]) -> float:
    return 100 * float(metrics[METRIC])


def _read(file: Path) -> Record:
    try:
        record: Record = json.loads(file.read_text(encoding="utf-8"))
        durable.check_stamp(record)
    except (OSError, ValueError, TypeError) as error:
        raise MultistageError(f"{file} is damaged ({one_line(error)}); make it again") from None
    return record
