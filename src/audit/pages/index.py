"""results/index.html: every published record on one page, which needs nothing but itself.

A pure function of ``results/*/records.jsonl``, the artifacts beside them, ``results/paper.yaml`` and the ledger of
claims.
"""

import hashlib
import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any

from audit.claims.verdicts import Judged
from audit.pages import captions, figures, pictures
from audit.pages.artifacts import WITH_WEIGHTS, best, best_learned, best_refined, confusion, filters
from audit.pages.figures import Place
from audit.tables.layout import Table, foremost
from audit.tables.results import RECORDS, Experiment, Results
from audit.tables.templates import ENVIRONMENT, render
from multistage.records.cells import SIGNS, Cell
from multistage.records.files import path
from multistage.records.runs import Record

PAGE = "index.html"


def document(results: Results, claims: Sequence[Judged]) -> str:
    """The page.

    Args:
        results: All that is published.
        claims: Judged by it.
    """
    experiments = results.experiments.values()
    return render(
        "pages/page.html",
        summary=captions.summary([record for each in experiments for record in each.records]),
        claims=claims,
        published=results.paper,
        experiments=[_experiment(each) for each in experiments if each.records],
    )


def places_of(folder: Path, table: Table) -> list[Place]:
    """Where on the page each cell of a table stands.

    Args:
        folder: ``results/<name>``.
        table: One of its tables.
    """
    places, series = [], {protocol: number for number, protocol in enumerate(table.protocols)}
    for protocol, architecture, cell in table.places():
        row = architecture if table.against_labels else str(cell.config["model"])
        link = identifier(folder.name, table.title, protocol, row)
        places.append(Place(cell, row, series[protocol], protocol, link))
    return places


def identifier(*parts: str) -> str:
    """What a link to a part of the page leads to."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")


def _experiment(given: Experiment) -> dict[str, Any]:
    return {
        "name": given.name,
        "facts": captions.facts(given.records),
        "digest": hashlib.sha256((given.folder / RECORDS).read_bytes()).hexdigest(),
        "at_work": given.name in WITH_WEIGHTS,
        "blocks": [_block(given.folder, table, set(foremost(given.cells))) for table in given.tables],
    }


def _block(folder: Path, table: Table, drawn: Container[Cell]) -> dict[str, Any]:
    """One data set, or one number of stages: its table, best model first, and figures of the cells to be drawn."""
    places = _places(folder, table)
    found = [place.cell for place in places]
    rows: dict[str, dict[int, Place]] = {}
    for place in places:
        rows.setdefault(place.row, {})[place.series] = place
    shown = table.only(cell for cell in found if cell in drawn)
    return {
        "id": identifier(folder.name, table.title),
        "table": table,
        "caption": captions.table(found, table.as_in_paper or table.against_labels),
        "rows": rows.items(),
        "marked": any(cell.mark for cell in found),
        "drawn": len(shown.cells),
        "figures": [
            *(_figures(shown, _places(folder, shown)) if shown.cells else ()),
            *_artifacts(folder, [record for cell in found for record in cell.records]),
        ],
    }


def _places(folder: Path, table: Table) -> list[Place]:
    """Where each cell stands, row by row: those of the best model first, or those with the fewest labels."""
    ranked = sorted(places_of(folder, table), key=lambda place: (place.series, -place.cell.mean))
    names = table.architectures if table.against_labels else dict.fromkeys(place.row for place in ranked)
    rank = {name: number for number, name in enumerate(names)}
    return sorted(ranked, key=lambda place: (rank[place.row], place.series))


def _figures(table: Table, places: Sequence[Place]) -> Iterator[tuple[str, str]]:
    """Captions, and what they stand above."""
    found, series = [place.cell for place in places], table.protocols
    if table.against_labels:
        yield captions.against_labels(table), figures.against_labels(places, series)
    elif len(places) > 1:
        yield captions.dots(found, table), figures.dots(places, series)
        front = [place.cell for place in figures.front(places)]
        yield captions.cost(front, table), figures.scatter(places, series)
    for number, protocol in enumerate(series):
        losses = {place.row: _losses(place.cell) for place in places if place.series == number}
        if panels := {row: lines for row, lines in losses.items() if lines}:
            yield captions.curves(panels, protocol), figures.curves(panels, "training loss", number)


def _not_run(table: Table, row: str, protocol: str) -> str:
    entries = (e for (p, a), e in table.paper.items() if p == protocol and row in (a, e["model"]))
    return next((f"paper {entry['value']}, not run" for entry in entries), "")


def _losses(cell: Cell) -> list[list[float]]:
    """Training loss by epoch of the runs that recorded several; zeros cannot stand on a logarithmic axis."""
    columns = (record.get("history", {}).get("train_loss", ()) for record in cell.records)
    losses = ([value for value in column if value is not None and value > 0] for column in columns)
    return [values for values in losses if len(values) > 1]


def _artifacts(folder: Path, records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """Filters of the best runs that learned them, and confusions of the best run, as far as they were published."""
    if (run := best_refined(records)) and (kernels := filters(folder, run)):
        yield captions.filters(path(run), *kernels), pictures.filters(*kernels)
    if (run := best_learned(records)) and (kernels := filters(folder, run)):
        yield captions.learned_filters(run, kernels[1]), pictures.learned_filters(kernels[1])
    if (run := best(records)) and (confused := confusion(folder, run)):
        yield captions.confusion(path(run), *confused), pictures.confusion(*confused)


ENVIRONMENT.globals |= {"SIGNS": SIGNS, "identifier": identifier, "not_run": _not_run}
