"""``table.csv`` and ``table.md`` of a folder of results, as pure functions of its cells."""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import groupby

from audit.tables.differences import Change, differences
from audit.tables.layout import Table, architecture, foremost, operations, protocol
from audit.tables.results import Experiment
from audit.tables.templates import render
from multistage.records.cells import Cell
from multistage.records.files import command, path
from multistage.records.intervals import CONFIDENCE, Interval, Measured, half_width
from multistage.registry.words import harmless

MINUS = "\N{MINUS SIGN}"

Mean = Cell | Measured
"""What has a mean and its interval."""

COLUMNS = (
    *("data", "stages", "protocol", "architecture", "model", "rectify", "normalise", "pool"),
    *("filters", "refine", "readout"),
    *("n", "mean", "sd", "low", "high", "training"),
    *("paper", "paper_error", "difference", "mark", "paper_table", "paper_row", "paper_column", "paper_source"),
    *("seconds", "draws", "seeds", "values", "runs", "commands"),
)
"""Of ``table.csv``: the cell, our figures, the paper's, and what they were made of; "; " separates several values.

``model`` is the preset; ``rectify``, ``normalise`` and ``pool`` are the operations, which may have been typed in place
of the preset's; ``architecture`` is the paper's symbol for these operations, empty if it has none.
"""


def to_csv(experiment: Experiment) -> str:
    """One line a cell: statistics to four decimals, the paper's figure and where it stands, runs and their commands."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for cell in experiment.cells:
        config, paper, done = cell.config, cell.paper or {}, operations(cell)
        low, high = cell.interval or (None, None)
        numbers = {"mean": cell.mean, "sd": cell.sd, "low": low, "high": high}
        numbers |= {"training": cell.training, "difference": cell.difference}
        texts = {
            **{key: config[key] for key in ("data", "stages", "model", "filters", "readout")},
            "refine": str(config["refine"]).lower(),
            "protocol": protocol(cell),
            "architecture": architecture(cell, done, experiment.paper),
            **done,
            "draws": "; ".join(str(record["config"]["draw"]) for record in cell.records),
            "seeds": "; ".join(str(record["config"]["seed"]) for record in cell.records),
            "runs": "; ".join(path(record) for record in cell.records),
            "commands": "; ".join(command(record) for record in cell.records),
        }
        writer.writerow(
            {
                **{name: harmless(text) for name, text in texts.items()},
                "n": cell.n,
                **{name: "" if value is None else f"{value:.4f}" for name, value in numbers.items()},
                "paper": paper.get("value"),
                "paper_error": paper.get("error"),
                "mark": cell.mark,
                **{f"paper_{name}": paper.get(name) for name in ("table", "row", "column", "source")},
                "seconds": f"{cell.seconds:.1f}",
                "values": "; ".join(f"{value:.4f}" for value in cell.values),
            }
        )
    return text.getvalue()


def to_markdown(experiment: Experiment) -> str:
    """The tables, the differences between variants, and the command behind each cell."""
    compared = foremost(experiment.cells)
    changes = differences(compared)
    intervals = sum(change.difference.interval is not None for change in changes)
    runs = [
        [
            *(_marked(cell.title), cell.n, f"{cell.seconds / 60:.1f}", f"{cell.training:.1f}"),
            *(f"`{command(cell.records[0])}`", _draws(cell)),
        ]
        for cell in experiment.cells
    ]
    header = ["cell", "runs", "minutes each", "training", "command of the first run", "draw/seed"]
    grids = {table.title: grid(table) for table in experiment.tables}
    return render(
        "tables/table.md",
        name=experiment.name,
        grids=grids,
        all=len(experiment.cells),
        compared=len(compared),
        changed=bool(changes),
        count=intervals,
        chance=round((1 - CONFIDENCE) * intervals),
        respects={respect: _changes(found) for respect, found in groupby(changes, lambda change: change.respect)},
        runs=rows(header, runs),
    )


def grid(table: Table) -> str:
    """One block in Markdown, laid out as in the paper, with presets as rows, or with numbers of labels as rows."""
    if table.as_in_paper:
        lines = [[_marked(p), *(entry(table, p, a) for a in table.architectures)] for p in table.protocols]
        return rows(["", *table.architectures], lines)
    named = table.architectures if table.against_labels else [f"`{a}`" for a in table.architectures]
    lines = [
        [name, *(entry(table, p, a) for p in table.protocols)]
        for name, a in zip(named, table.architectures, strict=True)
    ]
    return rows(["labels a class" if table.against_labels else "", *map(_marked, table.protocols)], lines)


def entry(table: Table, protocol: str, architecture: str) -> str:
    """What stands in one place: ours, how many runs diverged or are repeated, the paper's, difference, mark."""
    cell, paper = table.cells.get((protocol, architecture)), table.paper.get((protocol, architecture))
    lines = [] if cell is None else [f"{plus_minus(cell)} ({cell.n})"]
    if cell is not None and cell.diverged:
        lines.append(f"{cell.diverged} diverged")
    if cell is not None and cell.repeats:
        lines.append(f"{cell.repeats} more with the same images and seed")
    if cell is not None and table.as_in_paper and not cell.config["refine"]:
        lines.append(f"training {cell.training:.1f}")
    if paper is not None:
        bar = "" if paper["error"] is None else f" ± {paper['error']:.1f}"
        lines.append(f"paper {paper['value']}{bar}")
        lines.append(
            "not run" if cell is None or cell.difference is None else f"{signed(cell.difference)}, {cell.mark}"
        )
    return "<br>".join(lines)


def plus_minus(mean: Mean) -> str:
    """A mean and half the width of its interval, two decimals."""
    return f"{_value(mean):.2f}{_bar(mean.interval)}"


def signed(difference: Mean | float) -> str:
    """A difference with its sign, and half the width of its interval if it has one, two decimals."""
    value, interval = (
        (difference, None) if isinstance(difference, int | float) else (_value(difference), difference.interval)
    )
    text = f"{value:+.2f}"
    return ("0.00" if float(text) == 0 else text.replace("-", MINUS)) + _bar(interval)


def emphasised(difference: Mean) -> str:
    """As `signed`, in bold where the interval leaves out zero."""
    text, interval = signed(difference), difference.interval
    return f"**{text}**" if interval and (interval[0] > 0 or interval[1] < 0) else text


def _value(mean: Mean) -> float:
    return mean.value if isinstance(mean, Measured) else mean.mean


def _bar(interval: Interval | None) -> str:
    return "" if interval is None else f" ± {half_width(interval):.2f}"


def _changes(changes: Iterable[Change]) -> str:
    lines = []
    for change in changes:
        before, after = (_marked(cell.title).split(", ") for cell in (change.before, change.after))
        common = [word for word in before if word in after]
        lines.append(
            [
                ", ".join(common),
                ", ".join(word for word in before if word not in common),
                ", ".join(word for word in after if word not in common),
                f"{emphasised(change.difference)} ({change.difference.n})",
            ]
        )
    return rows(["both", "from", "to", "difference"], lines)


def _marked(name: str) -> str:
    """Mark the settings in a name as code: an underscore in them is not Markdown's."""
    return ", ".join(f"`{word}`" if "=" in word or word.startswith("~") else word for word in name.split(", "))


def _draws(cell: Cell) -> str:
    return " ".join(f"{record['config']['draw']}/{record['config']['seed']}" for record in cell.records)


def rows(header: Sequence[str], given: Iterable[Sequence[object]], numbers: bool = False) -> str:
    """A table in Markdown.

    Args:
        header: Of its columns.
        given: What stands in them.
        numbers: Whether all columns but the first are set flush right.
    """
    rule = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    return "\n".join(
        f"| {' | '.join(str(text).replace('|', '&#124;') for text in line)} |" for line in (header, rule, *given)
    )
