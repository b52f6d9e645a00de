"""results/index.html: every published record on one page, which needs nothing but itself.

A pure function of ``results/*/records.jsonl``, the artifacts beside them, ``results/paper.yaml`` and the ledger of
claims.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from audit.claims import ledger
from audit.pages import curve, figures, pictures
from audit.pages.artifacts import WITH_WEIGHTS, best, best_learned, best_refined, confusion, filters
from audit.tables import captions, layout
from audit.tables.addresses import of_tables
from audit.tables.tables import plus_minus, signed
from multistage.records.cells import SIGNS, Cell, cells
from multistage.records.files import command, from_file, path
from multistage.records.paper import published
from multistage.records.runs import Record
from multistage.storage import durable

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Place:
    """Where a cell stands on the page.

    Args:
        cell: The cell.
        row: In which row of the table: a preset, or a number of labels a class.
        series: Number of its protocol: column of the table, colour and shape in figures.
        protocol: The protocol in words.
        identifier: What links to it lead to.
    """

    cell: Cell
    row: str
    series: int
    protocol: str
    identifier: str

    @property
    def text(self) -> str:
        """What is said when one points at it."""
        paper = "" if self.cell.paper is None else f", paper {self.cell.paper['value']}%"
        shown = plus_minus(self.cell.mean, self.cell.interval)
        return f"{self.row}, {self.protocol}: {shown}%{paper}, {captions.duration(self.cell.seconds)}"


def write(results: Path) -> Path | None:
    """Write ``index.html`` into the folder of published results; see `document`. None if it was so already."""
    target, content = results / "index.html", document(results).encode()
    return target if durable.update(target, content) else None


def document(results: Path) -> str:
    """The page.

    Args:
        results: Folder with ``paper.yaml`` and a folder with ``records.jsonl`` for each experiment.

    Raises:
        MultistageError: Records that must not stand in one table.
    """
    paper = published(results / "paper.yaml")
    experiments = {file.parent: from_file(file) for file in sorted(results.glob("*/records.jsonl"))}
    blocks = {folder: layout.tables(cells(records, paper), paper) for folder, records in experiments.items() if records}
    found = of_tables({folder.name: tables for folder, tables in blocks.items()})
    verdicts = ledger.html(ledger.ledger(results, found, paper), paper)
    template = Template((HERE / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        summary=captions.summary([record for records in experiments.values() for record in records]),
        contents=_contents(blocks, bool(verdicts)),
        sections="\n".join(
            [verdicts, *(_experiment(folder, experiments[folder], tables) for folder, tables in blocks.items())]
        ),
    )


def places_of(folder: Path, table: layout.Table) -> list[Place]:
    """Where on the page each cell of a table stands.

    Args:
        folder: ``results/<name>``.
        table: One of its tables.
    """
    return [
        Place(cell, row, number, protocol, _id(folder.name, table.title, protocol, row))
        for number, protocol in enumerate(table.protocols)
        for architecture in table.architectures
        if (cell := table.cells.get((protocol, architecture)))
        for row in [architecture if table.against_labels else str(cell.config["model"])]
    ]


def _contents(blocks: Mapping[Path, Sequence[layout.Table]], verdicts: bool) -> str:
    links = ['<li><a href="#claims">claims and verdicts</a></li>'] * verdicts
    links += [
        f'<li><a href="#{_id(folder.name, table.title)}">{escape(folder.name)}: '
        f"{escape(table.title.partition(':')[0])}</a></li>"
        for folder, tables in blocks.items()
        for table in tables
    ]
    return f"<ul>{''.join(links)}</ul>"


def _id(*parts: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")


def _experiment(folder: Path, records: Sequence[Record], tables: Sequence[layout.Table]) -> str:
    digest = hashlib.sha256((folder / "records.jsonl").read_bytes()).hexdigest()
    parts = "\n".join(_block(folder, table) for table in tables)
    at_work = f' <a href="{folder.name}.html">These networks at work.</a>' if folder.name in WITH_WEIGHTS else ""
    return (
        f'<section id="{_id(folder.name)}"><h2>{escape(folder.name)}</h2><p class="facts">{captions.facts(records)} '
        f"SHA-256 of its records: <code>{digest[:16]}</code>.{at_work}</p>\n{parts}</section>"
    )


def _block(folder: Path, table: layout.Table) -> str:
    """One data set, or one number of stages: its table and its figures, best model first."""
    block = _id(folder.name, table.title)
    ranked = sorted(places_of(folder, table), key=lambda place: (place.series, -place.cell.mean))
    used = dict.fromkeys(place.row for place in ranked)
    rows = [size for size in table.architectures if size in used] if table.against_labels else list(used)
    places = sorted(ranked, key=lambda place: (rows.index(place.row), place.series))
    found = [place.cell for place in places]
    series = table.protocols
    parts = [_figure(captions.table(found, table.as_in_paper or table.against_labels), _table(table, places, rows))]
    if table.against_labels:
        drawn = curve.draw([_dot(place) for place in places], series)
        parts.append(_figure(captions.against_labels(table), drawn))
    elif len(places) > 1:
        parts.append(_figure(captions.dots(found, table), figures.dots([_dot(place) for place in places], series)))
        points = [figures.Point(p.cell.seconds, p.cell.mean, p.series, p.text, p.identifier) for p in places]
        front = [p.cell for p, point in zip(places, points, strict=True) if point in figures.front(points)]
        parts.append(_figure(captions.cost(front, table), figures.scatter(points, series)))
    for number, protocol in enumerate(series):
        losses = {place.row: _losses(place.cell) for place in places if place.series == number}
        if panels := {row: lines for row, lines in losses.items() if lines}:
            drawn = figures.curves(panels, "training loss", number)
            parts.append(_figure(captions.curves(panels, protocol), drawn))
    parts += _artifacts(folder, [record for cell in found for record in cell.records])
    return f'<section id="{block}"><h3>{escape(table.title)}</h3>\n' + "\n".join(parts) + "</section>"


def _figure(caption: str, content: str) -> str:
    return f"<figure><figcaption>{caption}</figcaption>{content}</figure>"


def _table(table: layout.Table, places: Sequence[Place], rows: Sequence[str]) -> str:
    heads = [("labels a class" if table.against_labels else "model", 'data-first="ascending"')]
    heads += [
        (p, 'data-first="descending"' + ' aria-sort="descending"' * (not i)) for i, p in enumerate(table.protocols)
    ]
    head = "".join(
        f'<th scope="col" {how}><button type="button">{figures.broken(name)}</button></th>' for name, how in heads
    )
    bodies = []
    for row in rows:
        here = {place.series: place for place in places if place.row == row}
        columns = [_column(table, here.get(number), row, p) for number, p in enumerate(table.protocols)]
        runs = "".join(
            f'<tr class="runs" id="{place.identifier}-runs" hidden><td colspan="{len(heads)}">'
            f"{_runs(place.cell)}</td></tr>"
            for place in here.values()
        )
        name = f'<th scope="row" data-value="{escape(row)}">{figures.broken(row)}</th>'
        bodies.append(f"<tbody><tr>{name}{''.join(columns)}</tr>{runs}</tbody>")
    key = captions.LEGEND if any(place.cell.mark for place in places) else ""
    return (
        '<div class="scroll wide" tabindex="0" role="region" aria-label="table of results"><table class="results">'
        f"<thead><tr>{head}</tr></thead>{''.join(bodies)}</table></div>{key}"
    )


def _column(table: layout.Table, place: Place | None, row: str, protocol: str) -> str:
    if place is None:
        entries = (e for (p, a), e in table.paper.items() if p == protocol and row in (a, e["model"]))
        value = next((f"paper {entry['value']}, not run" for entry in entries), "")
        return f'<td><span class="against">{value}</span></td>'
    cell, against = place.cell, ""
    if cell.paper is not None and cell.difference is not None and cell.mark is not None:
        against = (
            f'<span class="against">paper {cell.paper["value"]} <span class="{cell.mark.partition(" ")[0]}">'
            f'{SIGNS[cell.mark]} {signed(cell.difference)}<span class="unseen">, {cell.mark}</span></span></span>'
        )
    mean, plus, half = plus_minus(cell.mean, cell.interval).partition(" \N{PLUS-MINUS SIGN} ")
    return (
        f'<td data-value="{cell.mean:.6f}"><button type="button" class="cell" id="{place.identifier}" '
        f'aria-expanded="false" aria-controls="{place.identifier}-runs"><span class="mean">{mean}</span>'
        f'<span class="spread">{plus}{half}</span>{against}</button></td>'
    )


def _runs(cell: Cell) -> str:
    rows = "".join(
        f"<tr><td>{record['config']['draw']}, {record['config']['seed']}</td>"
        f"<td>{record['metrics']['test_mean_class_accuracy']:.2%}</td><td>{record['metrics']['test_accuracy']:.2%}</td>"
        f"<td>{record['metrics']['train_accuracy']:.2%}</td>"
        f"<td>{captions.duration(sum(record['seconds'].values()))}</td></tr>"
        f'<tr class="command"><td colspan="5"><code>{escape(command(record))}</code></td></tr>'
        for record in cell.records
    )
    names = ("draw, seed", "mean per class", "test", "training", "time")
    heads = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'<div class="panel-of-runs"><p>{captions.cell(cell)}</p><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _dot(place: Place) -> figures.Dot:
    cell = place.cell
    paper = None if cell.paper is None else (float(cell.paper["value"]), float(cell.paper["error"] or 0))
    return figures.Dot(place.row, place.series, cell.values, cell.mean, cell.interval, paper, place.text)


def _losses(cell: Cell) -> list[list[float]]:
    """Training loss by epoch of the runs that recorded several; zeros cannot stand on a logarithmic axis."""
    columns = (record.get("history", {}).get("train_loss", ()) for record in cell.records)
    losses = ([value for value in column if value is not None and value > 0] for column in columns)
    return [values for values in losses if len(values) > 1]


def _artifacts(folder: Path, records: Sequence[Record]) -> list[str]:
    """Filters of the best runs that learned them, and confusions of the best run, as far as they were published."""
    parts = []
    if (run := best_refined(records)) and (kernels := filters(folder, run)):
        parts.append(_figure(captions.filters(path(run), *kernels), pictures.filters(*kernels)))
    if (run := best_learned(records)) and (kernels := filters(folder, run)):
        parts.append(_figure(captions.learned_filters(run, kernels[1]), pictures.learned_filters(kernels[1])))
    if (run := best(records)) and (confused := confusion(folder, run)):
        parts.append(_figure(captions.confusion(path(run), *confused), pictures.confusion(*confused)))
    return parts
