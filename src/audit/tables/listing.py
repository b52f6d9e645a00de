"""``results/results.json``: every published figure, one a line, for programs.

task, data_set       what was classified
protocol             the training protocol, as in the tables; settings that are not the default
model                the preset that was chosen
rectify, normalise   its operations, or those that were typed in their place;
and pool             of each stage where stages differ
stages               how many there are
metric, unit, value  mean over runs
interval, n          Student's 95 % confidence interval over runs (null for a single one); number of runs
paper                the paper's figure, null if it has none
source, lines        the file of records, and the lines of these runs in it, from 1
"""

import json
from collections.abc import Iterator
from typing import Any

from audit.tables.layout import operations, protocol
from audit.tables.results import RECORDS, Experiment, Results
from multistage.records.cells import METRIC
from multistage.records.intervals import mean_of

LISTING = "results.json"

METRICS = {METRIC: "accuracy, mean over classes", "test_accuracy": "accuracy"}
"""Metrics of test images, by their names in records; the first one is that of all tables."""


def document(results: Results) -> str:
    """Return the whole list, in the order of folders and of their cells."""
    found = (figure for experiment in results.experiments.values() for figure in _figures(experiment))
    return "[\n" + ",\n".join(json.dumps(figure, ensure_ascii=False, allow_nan=False) for figure in found) + "\n]\n"


def _figures(experiment: Experiment) -> Iterator[dict[str, Any]]:
    lines = {id(record): number for number, record in enumerate(experiment.records, 1)}
    for cell in experiment.cells:
        done = operations(cell)
        for name, words in METRICS.items():
            measured = mean_of([100 * record["metrics"][name] for record in cell.records], words, "%")
            yield {
                "task": "image classification",
                "data_set": cell.config["data"],
                "protocol": protocol(cell),
                "model": cell.config["model"],
                **done,
                "stages": cell.config["stages"],
                "metric": words,
                "unit": "%",
                "value": round(measured.value, 4),
                "interval": None if measured.interval is None else [round(end, 4) for end in measured.interval],
                "n": cell.n,
                "paper": cell.paper["value"] if cell.paper and name == METRIC else None,
                "source": f"results/{experiment.name}/{RECORDS}",
                "lines": sorted(lines[id(record)] for record in cell.records),
            }
