"""The sentences of the page: under each figure one that says what is to be seen, made of the same numbers."""

from collections.abc import Mapping, Sequence
from html import escape
from statistics import fmean

import numpy as np

from audit.tables.layout import Table, protocol
from audit.tables.tables import signed
from multistage.records.cells import Cell
from multistage.records.files import path
from multistage.records.runs import Record

LEGEND = (
    '<ul class="key"><li class="inside">\N{BLACK CIRCLE} the paper\'s figure lies in our 95&nbsp;% interval</li>'
    '<li class="within">\N{CIRCLE WITH LEFT HALF BLACK} within three points</li>'
    '<li class="off">\N{WHITE CIRCLE} further off</li></ul>'
)


def duration(seconds: float) -> str:
    """Seconds in the unit in which people say them: 0.31 s, 12 s, 4.2 min, 1.3 h."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def count(number: int, thing: str) -> str:
    """1 run, 2 runs, 1,000 runs."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def summary(records: Sequence[Record]) -> str:
    """How much there is."""
    if not records:
        return "none yet"
    sets = sorted({record["config"]["data"] for record in records})
    models = {record["config"]["model"] for record in records}
    return f"{count(len(records), 'run')} of {count(len(models), 'model')} on {listed([escape(data) for data in sets])}"


def facts(records: Sequence[Record]) -> str:
    """Where an experiment's runs come from."""
    seconds = sum(sum(record["seconds"].values()) for record in records)
    commits = sorted(
        {f"{(record.get('commit') or 'unknown')[:7]}{'+' if record.get('dirty') else ''}" for record in records}
    )
    machines = sorted({machine(record) for record in records})
    text = (
        f"{count(len(records), 'run')}, {duration(seconds)} in all, on {listed(machines)}; "
        f"{'commit' if len(commits) == 1 else 'commits'} {listed(commits)}"
    )
    incomplete = sum(bool(record.get("skipped")) for record in records)
    return f"{escape(text)}{f'; {incomplete} with damaged files left out' if incomplete else ''}."


def machine(record: Record) -> str:
    """What a run was done on."""
    hardware = record["hardware"]
    processor = hardware["processor"] if record["device"] == "cpu" else hardware["gpu"]
    return f"{processor} ({count(record['threads'], 'thread')}, {record['precision']})"


def cell(given: Cell) -> str:
    """What stands above the runs of a cell."""
    parts = [f"mean of {count(given.n, 'run')} <b>{given.mean:.2f}%</b>"]
    if given.sd is not None and given.interval is not None:
        low, high = given.interval
        parts.append(f"standard deviation {given.sd:.2f}, 95&nbsp;% interval {low:.2f} to {high:.2f}")
    if given.paper is not None and given.difference is not None:
        where = ", ".join(str(given.paper[key]) for key in ("source", "row", "column") if key in given.paper)
        value = f"{given.paper['value']}%"
        parts.append(f"the paper {value} ({escape(where)}), difference {signed(given.difference)}: {given.mark}")
    parts.append(f"{given.records[0]['parameters']:,} parameters")
    return f"<b>{escape(given.title)}</b>: {'; '.join(parts)}."


def _named(given: Cell, table: Table) -> str:
    words = f" ({escape(protocol(given))})" if len(table.protocols) > 1 else ""
    return f"<b>{escape(given.config['model'])}</b>{words}"


def table(found: Sequence[Cell], as_in_paper: bool) -> str:
    """Over the table: how many runs, and how it went against the paper."""
    runs = sorted({c.n for c in found})
    each = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    text = f"{count(len(found), 'cell')} of {each} {'run' if runs[-1] == 1 else 'runs'}{' each' * (len(found) > 1)}"
    marks = {mark: sum(c.mark == mark for c in found) for mark in ("inside", "within three points", "off")}
    words = {"inside": "in our interval", "within three points": "within three points", "off": "further off"}
    known = sum(marks.values())
    if known:
        parts = listed([f"{marks[mark]} {words[mark]}" for mark in marks if marks[mark]])
        text += f"; of {count(known, 'figure')} of the paper beside them, {parts}"
    else:
        text += f"; the paper has no figure for {'it' if len(found) == 1 else 'them'}"
    letters = ' <span class="how">R: random filters, a letter for each stage; +: refined.</span>' if as_in_paper else ""
    return f"{text}.{letters}"


def dots(found: Sequence[Cell], table: Table) -> str:
    """Over the dot plot: the best, the worst."""
    top, bottom = max(found, key=lambda c: c.mean), min(found, key=lambda c: c.mean)
    how = "Small dots are runs, lines 95&nbsp;% intervals of their mean." if any(c.n > 1 for c in found) else ""
    return (
        f"Best is {_named(top, table)} with {top.mean:.2f}%, worst {_named(bottom, table)} with {bottom.mean:.2f}%. "
        f'<span class="how">{how}</span>'
    )


def against_labels(table: Table) -> str:
    """Over the curve: which line is lowest with the fewest labels, and which with the most."""
    sizes = sorted({size for _, size in table.cells}, key=int)
    seen = []
    for size in dict.fromkeys((sizes[0], sizes[-1])):
        here = {line: given for (line, labels), given in table.cells.items() if labels == size}
        line = max(here, key=lambda name: here[name].mean)
        labels = "label" if size == "1" else "labels"
        seen.append(f"with {size} {labels} a class <b>{escape(line)}</b> errs least, {100 - here[line].mean:.2f}%")
    return (
        f"Of the lines, {listed(seen)}. "
        '<span class="how">Error in %, 100 less accuracy; both axes logarithmic; upright lines: 95&nbsp;% intervals.'
        "</span>"
    )


def cost(front: Sequence[Cell], table: Table) -> str:
    """Over the scatter plot: what nothing beats both in time and in accuracy."""
    named = [
        f"{_named(c, table)} at {duration(c.seconds)} and {c.mean:.2f}%" for c in sorted(front, key=lambda c: c.seconds)
    ]
    return (
        f"Nothing is both faster and better than {listed(named)}. "
        '<span class="how">Time of a whole run, test included; each mark leads to its runs.</span>'
    )


def curves(panels: Mapping[str, Sequence[Sequence[float]]], label: str) -> str:
    """Over the learning curves: where the loss ends lowest and highest."""
    last = {name: fmean(line[-1] for line in lines) for name, lines in panels.items()}
    low, high = min(last, key=lambda name: last[name]), max(last, key=lambda name: last[name])
    seen = f"<b>{escape(low)}</b> ends at a training loss of {last[low]:.2g}"
    if low != high:
        seen += f", lowest of {len(last)}; <b>{escape(high)}</b> at {last[high]:.2g}, highest"
    return (
        f'Learning curves, {escape(label)}: {seen}. <span class="how">Cross-entropy in nats by epoch, logarithmic; '
        f"bold the mean over runs{', gray the other models' if len(last) > 1 else ''}.</span>"
    )


def filters(run: str, before: np.ndarray, after: np.ndarray) -> str:
    """Over the mosaics: how far training moved the filters."""
    moved = float(np.linalg.norm((after - before).astype(np.float64)) / np.linalg.norm(before.astype(np.float64)))
    limit = float(max(np.abs(before).max(), np.abs(after).max()))
    return (
        f"Training changed the {before.shape[0]} first-stage filters of the best refined run by {moved:.0%} of their "
        f'norm. <span class="how">Gray is zero, black &minus;{limit:.2f}, white {limit:.2f}; '
        f"<code>{escape(run)}</code></span>"
    )


def learned_filters(record: Record, kernels: np.ndarray) -> str:
    """Over the mosaic: what was measured of filters that predict sparse codes."""
    measured, limit = record["filters"][0], float(np.abs(kernels).max())
    oriented = f"; {measured['oriented']} are localised and oriented" if "oriented" in measured else ""
    return (
        f"{len(kernels)} first-stage filters that predict sparse codes{oriented}. The codes that they predict differ "
        f"from the best ones by {measured['prediction_snr']:.1f}&nbsp;dB (signal to noise), which rebuild patches to "
        f"{measured['reconstruction_snr']:.1f}&nbsp;dB with {measured['active_fraction']:.0%} of the units. "
        f'<span class="how">Gray is zero, black &minus;{limit:.2f}, white {limit:.2f}; '
        f"<code>{escape(path(record))}</code></span>"
    )


def confusion(run: str, names: Sequence[str], counts: np.ndarray) -> str:
    """Over the confusions: how many errors, of how many images."""
    wrong = int(counts.sum() - np.trace(counts))
    return (
        f"The best run puts {wrong:,} of {int(counts.sum()):,} test images into a wrong class. "
        f'<span class="how">Rows are true classes, columns what was predicted; <code>{escape(run)}</code></span>'
    )
