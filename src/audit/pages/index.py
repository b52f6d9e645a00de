"""results/index.html: every published record on one self-contained page.

A pure function of ``results/*/records.jsonl``, their artifacts and pictures, ``results/paper.yaml``,
``conf/experiment``, the claims and the ladder.
"""

import hashlib
import re
from collections.abc import Container, Iterator, Sequence
from html import escape
from itertools import takewhile
from pathlib import Path
from typing import Any

from markupsafe import Markup

from audit.claims import ledger
from audit.claims.templates import PaperFigures
from audit.claims.verdicts import Judged
from audit.ladder.climb import Ladder
from audit.pages import captions, figures, pictures, table1
from audit.pages.answer import RULE, Answer, operations, tally
from audit.pages.artifacts import WITH_WEIGHTS, best, best_learned, best_refined, confusion, filters
from audit.pages.figures import Place, Scale
from audit.tables.layout import Table, foremost
from audit.tables.results import RECORDS, Experiment, Results
from audit.tables.templates import ENVIRONMENT, render
from audit.tables.words import kind_of_filters
from multistage.records.cells import SIGNS, Cell
from multistage.records.files import path
from multistage.records.runs import Record
from multistage.settings import composition
from multistage.settings.tree import Config

PAGE = "index.html"

VERDICTS = {
    "holds": ("\N{CHECK MARK}", "inside"),
    "holds in part": ("\N{CIRCLE WITH LEFT HALF BLACK}", "within"),
    "fails": ("\N{BALLOT X}", "off"),
    "no data": ("\N{EN DASH}", "none"),
}
"""Sign and colour of each verdict."""

CLASSIFIERS = {"sgd": "SGD, as the authors'", "lbfgs": "L-BFGS, converged", "pyramid_svm": "pyramid SVM"}

CARDS = (
    (
        "grid/index.html",
        "The grid",
        "Every combination of rectification, normalisation and pooling.",
        "grid/grid.png",
    ),
    (
        "explorer.html",
        "The explorer",
        "Trained networks run in your browser, on digits, photographs or your own image. See every map of every step.",
        "explorer/photographs/butterfly.png",
    ),
    (
        "lecture/index.html",
        "The lecture, measured",
        "What lectures say of convolutional networks, measured on real images.",
        "lecture/lecture-07-detector.png",
    ),
)
"""Other pages: address, title, words, picture; only existing pages are shown."""


def document(results: Results, claims: Sequence[Judged], ladder: Ladder) -> str:
    """Render the page.

    Args:
        results: All published results.
        claims: Claims with verdicts.
        ladder: Results with later methods.
    """
    experiments = [_experiment(each) for each in results.experiments.values() if each.records]
    answer, later = Answer(results, claims), ladder.top
    columns = answer.columns
    figures = [
        *(v for column in columns for v in (column.cell.mean, column.paper)),
        *(s.some.mean for s in ladder.rungs if s.some),
    ]
    return render(
        "pages/index.html",
        answer=list(answer.sentences(later)),
        rule=RULE if columns else "",
        columns=columns,
        later=later,
        steps=ladder.rungs,
        scale=Scale([0, *figures], margin=0),
        agreeing=table1.agreeing(table1.places(results)),
        summary=captions.summary([record for each in results.experiments.values() for record in each.records]),
        table1_blocks=[
            block
            for each in experiments
            for block in each["blocks"]
            if each["name"] == "table1" and block["table"].as_in_paper
        ],
        cards=_cards(results.root),
        claims=ledger.grouped(claims),
        evidence=PaperFigures(results.paper).fill,
        published=results.paper,
        experiments=experiments,
    )


def places_of(folder: Path, table: Table) -> list[Place]:
    """Return the position of each cell of a table on the page.

    Args:
        folder: ``results/<name>``.
        table: One of its tables.
    """
    places, series = [], {protocol: number for number, protocol in enumerate(table.protocols)}
    for protocol, architecture, cell in table.places():
        name = architecture if table.against_labels else str(cell.config["model"])
        row, number = (protocol, 0) if _has_one_model(table) else (name, series[protocol])
        places.append(Place(cell, row, number, protocol, identifier(folder.name, table.title, protocol, name)))
    return places


def _has_one_model(table: Table) -> bool:
    """Whether a table has one architecture, and so protocols as rows."""
    return len(table.architectures) == 1 and not table.against_labels


def _columns(table: Table) -> tuple[str, ...]:
    """Return the columns of a table on the page, which are the series of its figures."""
    return table.architectures if _has_one_model(table) else table.protocols


def identifier(*parts: str) -> str:
    """Make the anchor of a part of the page."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")


def _experiment(given: Experiment) -> dict[str, Any]:
    drawn = set(foremost(given.cells, by_accuracy=True))
    return {
        "name": given.name,
        "purpose": purpose(given.name),
        "runs": len(given.records),
        "facts": captions.facts(given.records),
        "digest": hashlib.sha256((given.folder / RECORDS).read_bytes()).hexdigest(),
        "at_work": given.name in WITH_WEIGHTS,
        "blocks": [_block(given.folder, table, drawn) for table in given.tables],
    }


def _block(folder: Path, table: Table, drawn: Container[Cell]) -> dict[str, Any]:
    """Build the block of one data set, or one number of stages: its table, best model first, and its figures."""
    places = _places(folder, table)
    found = [place.cell for place in places]
    rows: dict[str, dict[int, Place]] = {}
    for place in places:
        rows.setdefault(place.row, {})[place.series] = place
    shown = table.only(cell for cell in found if cell in drawn)
    return {
        "id": identifier(folder.name, table.title),
        "label": f"{folder.name}, {table.title}",
        "table": table,
        "caption": captions.table(found, table.as_in_paper or table.against_labels),
        "first": "labels a class" if table.against_labels else "protocol" if _has_one_model(table) else "model",
        "columns": _columns(table),
        "rows": rows.items(),
        "by_protocol": list(_by_protocol(table, places)),
        "marked": any(cell.mark for cell in found),
        "drawn": len(shown.cells),
        "figures": [
            *(_figures(shown, _places(folder, shown), places) if shown.cells else ()),
            *_artifacts(folder, [record for cell in found for record in cell.records]),
        ],
    }


def _places(folder: Path, table: Table) -> list[Place]:
    """Sort the rows of a table: best model first, or fewest labels first."""
    ranked = sorted(places_of(folder, table), key=lambda place: (place.series, -place.cell.mean))
    names = table.architectures if table.against_labels else dict.fromkeys(place.row for place in ranked)
    rank = {name: number for number, name in enumerate(names)}
    return sorted(ranked, key=lambda place: (rank[place.row], place.series))


def _by_protocol(table: Table, places: Sequence[Place]) -> Iterator[tuple[str, str, dict[str, Place]]]:
    """Return the rows of the paper's layout: name, description, places by architecture."""
    for protocol in table.protocols:
        here = {place.cell: place for place in places if place.protocol == protocol}
        found = {a: here[cell] for (p, a), cell in table.cells.items() if p == protocol}
        yield protocol, _words(next(iter(here)).config), found


def _words(config: Config) -> str:
    """Describe filters and classifier in words."""
    return kind_of_filters(str(config["filters"])) + (
        ", then trained" if config["refine"] else f"; {CLASSIFIERS.get(config['readout'], config['readout'])}"
    )


def purpose(name: str) -> str:
    """Return the first sentence of an experiment's file, which says what the runs are for; "" if it has none."""
    file = composition.CONF / "experiment" / f"{name}.yaml"
    if not file.is_file():
        return ""
    lines = takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines())
    return re.split(r"(?<=\.)(?<!Fig\.) ", " ".join(line.removeprefix("#").strip() for line in lines))[0]


def _cards(root: Path) -> list[dict[str, Any]]:
    """List other published pages, each with its picture if it exists."""
    return [
        {
            "address": address,
            "title": title,
            "words": words,
            "picture": (root / picture).read_bytes() if (root / picture).is_file() else b"",
        }
        for address, title, words, picture in CARDS
        if (root / address).is_file()
    ]


def _figures(table: Table, places: Sequence[Place], every: Sequence[Place]) -> Iterator[tuple[str, str]]:
    """Return figures of some places with their captions, whose best and worst are those of every place."""
    series = _columns(table)
    if table.against_labels:
        yield captions.against_labels(table), figures.against_labels(places, series)
    elif len(places) > 1:
        yield captions.dots([place.cell for place in every], table), figures.dots(places, series)
        front = [place.cell for place in figures.front(every)]
        yield captions.cost(front, table), figures.scatter(places, series)
    for number, protocol in enumerate(series):
        losses = {place.row: _losses(place.cell) for place in places if place.series == number}
        if panels := {row: lines for row, lines in losses.items() if lines}:
            yield captions.curves(panels, protocol), figures.curves(panels, "training loss", number)


def _not_run(table: Table, row: str, protocol: str) -> str:
    entries = (e for (p, a), e in table.paper.items() if p == protocol and row in (a, e["model"]))
    return next((f"paper {entry['value']}, not run" for entry in entries), "")


def _losses(cell: Cell) -> list[list[float]]:
    """Collect training loss by epoch of runs that recorded several epochs, without zeros, for a logarithmic axis."""
    columns = (record.get("history", {}).get("train_loss", ()) for record in cell.records)
    losses = ([value for value in column if value is not None and value > 0] for column in columns)
    return [values for values in losses if len(values) > 1]


def _artifacts(folder: Path, records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """Return filters of the best runs that learned them, and the best run's confusion matrix, if published."""
    if (run := best_refined(records)) and (kernels := filters(folder, run)):
        yield captions.filters(path(run), *kernels), pictures.filters(*kernels)
    if (run := best_learned(records)) and (kernels := filters(folder, run)):
        yield captions.learned_filters(run, kernels[1]), pictures.learned_filters(kernels[1])
    if (run := best(records)) and (confused := confusion(folder, run)):
        yield captions.confusion(path(run), *confused), pictures.confusion(*confused)


def _symbol(text: str) -> Markup:
    """Format the paper's symbol of an architecture with subscripts."""
    return Markup(re.sub(r"_(\w+)", r"<sub>\1</sub>", escape(text)))


ENVIRONMENT.filters |= {"symbol": _symbol, "verdicts_tally": tally}  # beside those of claims, captions and figures
ENVIRONMENT.globals |= {
    **{"SIGNS": SIGNS, "VERDICTS": VERDICTS, "operations": operations},
    **{"identifier": identifier, "not_run": _not_run},
}
