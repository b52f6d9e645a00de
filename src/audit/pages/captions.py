"""Numbers for the sentences of the page, which are in `captions.html`."""

from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean

import numpy as np
from markupsafe import Markup

from audit.tables.layout import Table, protocol
from audit.tables.tables import signed
from audit.tables.templates import ENVIRONMENT, macro
from audit.tables.words import count, duration, listed, machine
from multistage.records.cells import Cell
from multistage.records.files import path
from multistage.records.runs import Record

MARKS = {"inside": "in our interval", "within three points": "within three points", "off": "further off"}


def summary(records: Sequence[Record]) -> str:
    """Count runs, models and data sets."""
    if not records:
        return "none yet"
    sets = sorted({record["config"]["data"] for record in records})
    models = {record["config"]["model"] for record in records}
    return f"{count(len(records), 'run')} of {count(len(models), 'model')} on {listed(sets)}"


def facts(records: Sequence[Record]) -> str:
    """Describe the origin of an experiment's runs: machines, time and commits."""
    seconds = sum(sum(record["seconds"].values()) for record in records)
    commits = sorted(
        {f"{(record.get('commit') or 'unknown')[:7]}{'+' if record.get('dirty') else ''}" for record in records}
    )
    incomplete = sum(bool(record.get("skipped")) for record in records)
    return (
        f"{count(len(records), 'run')}, {duration(seconds)} in all, on {listed(sorted({*map(machine, records)}))}; "
        f"{'commit' if len(commits) == 1 else 'commits'} {listed(commits)}"
        f"{f'; {incomplete} with damaged files left out' if incomplete else ''}."
    )


def table(found: Sequence[Cell], as_in_paper: bool) -> Markup:
    """Caption of the table: number of runs, and agreement with the paper."""
    marks = {mark: sum(c.mark == mark for c in found) for mark in MARKS}
    known = {mark: number for mark, number in marks.items() if number}
    return _macro("table")(len(found), sorted({c.n for c in found}), known, as_in_paper)


def dots(found: Sequence[Cell], table: Table) -> Markup:
    """Caption of the dot plot: the best and the worst cell."""
    top, bottom = max(found, key=lambda c: c.mean), min(found, key=lambda c: c.mean)
    return _macro("dots")(top, bottom, table, any(c.n > 1 for c in found))


def against_labels(table: Table) -> Markup:
    """Caption of the curves: the line with the lowest error for the fewest labels, and for the most."""
    sizes = sorted({size for _, size in table.cells}, key=int)
    seen = []
    for size in dict.fromkeys((sizes[0], sizes[-1])):
        here = {line: cell.mean for (line, labels), cell in table.cells.items() if labels == size}
        line = max(here, key=lambda name: here[name])
        seen.append((size, line, 100 - here[line]))
    return _macro("against_labels")(seen)


def cost(front: Sequence[Cell], table: Table) -> Markup:
    """Caption of the scatter plot: the Pareto front of time and accuracy."""
    return _macro("cost")(sorted(front, key=lambda c: c.seconds), table)


def curves(panels: Mapping[str, Sequence[Sequence[float]]], label: str) -> Markup:
    """Caption of the learning curves: lowest and highest final loss."""
    last = {name: fmean(line[-1] for line in lines) for name, lines in panels.items()}
    low, high = min(last, key=lambda name: last[name]), max(last, key=lambda name: last[name])
    return _macro("curves")(label, last, low, high)


def filters(run: str, before: np.ndarray, after: np.ndarray) -> Markup:
    """Caption of the mosaics: how much training changed the filters."""
    moved = np.linalg.norm((after - before).astype(np.float64)) / np.linalg.norm(before.astype(np.float64))
    limit = max(np.abs(before).max(), np.abs(after).max())
    return _macro("filters")(run, len(before), moved, limit, before.shape[1] == 3)


def learned_filters(record: Record, kernels: np.ndarray) -> Markup:
    """Caption of the mosaic: measurements of filters learned by predictive sparse decomposition, if recorded."""
    measured: Mapping[str, float] = next(iter(record.get("filters", [])), {})
    limit = np.abs(kernels).max()
    return _macro("learned_filters")(path(record), len(kernels), measured, limit, kernels.shape[1] == 3)


def confusion(run: str, names: Sequence[str], counts: np.ndarray) -> Markup:
    """Caption of the confusion matrix: number of errors and of images."""
    return _macro("confusion")(run, int(counts.sum() - np.trace(counts)), int(counts.sum()))


def _listed_marks(marks: Mapping[str, int]) -> str:
    return listed([f"{number} {MARKS[mark]}" for mark, number in marks.items()])


_macro = partial(macro, "pages/captions.html")
ENVIRONMENT.filters |= {
    **{"protocol": protocol, "signed": signed, "listed_marks": _listed_marks},
    "extract": lambda key, mapping: mapping[key],
}
