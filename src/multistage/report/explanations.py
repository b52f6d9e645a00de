"""``results/<name>/README.md`` from ``README.template.md`` beside it: prose whose figures come from records.

What stands between ``[[`` and ``]]`` names a figure, its parts between bars:

    [[table1 | RR, sgd | R_abs-P_A | mean]]          of a cell, by its folder, row and column in that folder's table.md
    [[table1 | UU, sgd | R_abs-P_A | filters.0.prediction_snr]] any number of the records, by its path, mean over runs
    [[table1 | RR, lbfgs | R_abs-P_A | minus | table1 | RR, sgd | R_abs-P_A]]       paired difference of two cells
    [[table1 | RR, lbfgs | R_abs-P_A | explained by | table1 | RR, sgd | R_abs-P_A]] the same; why the first misses
    [[missed | table1]]                              a table of the cells that miss the paper by more than three points
    [[turned | table1]]                              a table of the columns that stand in another order than the paper's

At its end stands which missed cells no other explains, and which only in part. What explains a cell moves it towards
the paper's figure, beyond chance: by more than its interval, or three points for a single run. Of the miss, less what
was moved, three points may remain; where more does, it is explained in part, and where it was moved more than three
points beyond the paper's figure, that lies between the two.
"""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from math import copysign
from pathlib import Path
from statistics import fmean
from typing import Any

from multistage import durable
from multistage.errors import MultistageError
from multistage.estimates import half_width
from multistage.report import layout
from multistage.report.cells import CLOSE, Cell, Difference, cells, paired
from multistage.report.records import from_file
from multistage.report.tables import plus_minus, rows, signed
from multistage.runs import Record

TEMPLATE, TEXT = "README.template.md", "README.md"
HEADER = "<!-- Made from {template} and records by python scripts/report.py; do not edit. -->\n\n"
PLACE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
SHOWN = ("mean ±", "paper", "difference", "training", "n")
"""Columns of the table of missed cells."""

ORDERED = 2.0
"""Points; columns of a row that differ by more in the paper have an order."""

Address = tuple[str, str, str]
"""Folder of results, row, column."""

Cells = Mapping[Address, Cell]

FIGURES: dict[str, Callable[[Cell], str | None]] = {
    "mean": lambda cell: f"{cell.mean:.2f}",
    "mean ±": lambda cell: plus_minus(cell.mean, cell.interval),
    "training": lambda cell: f"{cell.training:.1f}",
    "n": lambda cell: str(cell.n),
    "paper": lambda cell: str(cell.paper["value"]) if cell.paper else None,
    "difference": lambda cell: None if cell.difference is None else signed(cell.difference),
    "mark": lambda cell: cell.mark,
    "minutes": lambda cell: f"{cell.seconds / 60:.1f}",
}
"""Figures of a cell by name."""


def addresses(results: Path, published: list[Record]) -> dict[Address, Cell]:
    """Every cell of every folder of results, by where it stands in that folder's table.md.

    Raises:
        MultistageError: Records that must not stand in one table.
    """
    return {
        (file.parent.name, *place): cell
        for file in sorted(results.glob("*/records.jsonl"))
        for table in layout.tables(cells(from_file(file), published), published)
        for place, cell in table.cells.items()
    }


def texts(results: Path, published: list[Record]) -> dict[Path, str]:
    """Every README below a folder of results that has a template, and its content.

    Raises:
        MultistageError: A template that names what is not there; one line with its name.
    """
    templates = sorted(results.glob(f"*/{TEMPLATE}"))
    found = addresses(results, published) if templates else {}
    return {
        template.with_name(TEXT): fill(template.read_text(encoding="utf-8"), found, template) for template in templates
    }


def write(results: Path, published: list[Record]) -> list[Path]:
    """Write what `texts` makes; the files that changed."""
    return [path for path, text in texts(results, published).items() if durable.update(path, text.encode())]


def fill(template: str, found: Cells, source: Path) -> str:
    """A template with its figures; at its end, the missed cells of its folder that no other cell explains.

    Args:
        template: Text.
        found: As from `addresses`.
        source: Of the template, for messages and the name of its folder.

    Raises:
        MultistageError: What a place names is not there.
    """
    explained: dict[Address, float] = {}

    def figure(place: re.Match[str]) -> str:
        parts = [part.strip() for part in place[1].split("|")]
        try:
            return _figure(parts, found, explained)
        except LookupError as error:
            raise MultistageError(f"{source}: [[{' | '.join(parts)}]] {error.args[0]}") from None

    text = HEADER.format(template=source.name) + PLACE.sub(figure, template)
    open_ = missed(found, source.parent.name)
    rests = {address: explained[address] for address in open_ if address in explained}
    part = [f"{_place(address)} ({rest:.2f})" for address, rest in rests.items() if rest > CLOSE]
    beyond = [_place(address) for address, rest in rests.items() if rest < -CLOSE]
    silent = [_place(address) for address in open_ if address not in rests]
    if part:
        text += f"\n**Explained in part** (what then remains, in points): {'; '.join(part)}.\n"
    if beyond:
        text += f"\n**The paper's figure lies between** these and what explains them: {'; '.join(beyond)}.\n"
    if silent:
        text += f"\n**Without a tested explanation yet:** {'; '.join(silent)}.\n"
    return text


def _place(address: Address) -> str:
    return " | ".join(address[1:])


def missed(found: Cells, name: str) -> list[Address]:
    """The cells of a folder that miss the paper's figure by more than three points."""
    return [address for address, cell in found.items() if address[0] == name and cell.is_close is False]


def turned(found: Cells, name: str) -> list[tuple[Address, Address, Difference]]:
    """Pairs of cells of a row, the better one of the paper first, that stand the other way round here; how far.

    Of each pair the paper's figures differ by more than `ORDERED` points.
    """
    of_paper = {address: float(cell.paper["value"]) for address, cell in found.items() if cell.paper}
    ordered = [
        (better, worse, paired(found[better], found[worse]))
        for better, high in of_paper.items()
        for worse, low in of_paper.items()
        if better[0] == name and better[:2] == worse[:2] and high - low > ORDERED
    ]
    return [pair for pair in ordered if pair[2].mean < 0]


def _figure(parts: list[str], found: Cells, explained: dict[Address, float]) -> str:
    """What stands for one place; `explained` collects, of cells that others explain, what remains of their misses."""
    if parts[0] == "missed" and len(parts) == 2:
        return _table({address: found[address] for address in missed(found, parts[1])})
    if parts[0] == "turned" and len(parts) == 2:
        return _turned(turned(found, parts[1]), found)
    if len(parts) == 7 and parts[3] in ("minus", "explained by"):
        one, other = _cell(parts[:3], found), _cell(parts[4:], found)
        difference = paired(one, other)
        if parts[3] == "explained by" and one.difference and _moves(difference, one.difference):
            address, rest = (parts[0], parts[1], parts[2]), one.difference - difference.mean
            rest = copysign(rest, rest * one.difference)
            explained[address] = min(rest, explained.get(address, rest), key=abs)
        return signed(difference.mean, difference.interval)
    if len(parts) != 4:
        raise LookupError("is no figure; expected FOLDER | ROW | COLUMN | FIGURE, as in the module explanations")
    cell = _cell(parts[:3], found)
    text = FIGURES[parts[3]](cell) if parts[3] in FIGURES else _recorded(cell, parts[3])
    if text is None:
        raise LookupError("is not there: the paper has no figure for this cell")
    return text


def _cell(parts: list[str], found: Cells) -> Cell:
    address = (parts[0], parts[1], parts[2])
    if address not in found:
        known = {" | ".join(each): each for each in found}
        similar = get_close_matches(" | ".join(address), known, n=3, cutoff=0.5)
        raise LookupError(f"names a cell that is not published; nearest: {'; '.join(similar) or 'none'}")
    return found[address]


def _recorded(cell: Cell, path: str) -> str:
    """A number of the records by its path, mean over runs, four significant digits."""
    values = []
    for record in cell.records:
        value: Any = record
        for step in path.split("."):
            try:
                value = value[int(step) if isinstance(value, list) else step]
            except (LookupError, TypeError, ValueError):
                raise LookupError(
                    f"is in no record; expected one of {', '.join(FIGURES)}, or a path such as metrics.test_accuracy"
                ) from None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise LookupError(f"is no number; expected one of {', '.join(FIGURES)}, or the path of a number")
        values.append(float(value))
    return f"{fmean(values):.4g}"


def _moves(difference: Difference, miss: float) -> bool:
    """Whether the other cell lies on the paper's side of the one that misses, by more than chance."""
    least = CLOSE if difference.interval is None else half_width(difference.interval)
    return difference.mean * miss > 0 and abs(difference.mean) > least


def _turned(pairs: list[tuple[Address, Address, Difference]], found: Cells) -> str:
    if not pairs:
        return "None of the cells run so far."
    lines = []
    for better, worse, difference in pairs:
        figures = [FIGURES[name](found[each]) for name in ("paper", "mean ±") for each in (better, worse)]
        lines.append([better[1], better[2], worse[2], *figures, signed(difference.mean, difference.interval)])
    heads = ["row", "first", "second", "paper: first", "second", "here: first", "second", "first less second"]
    return rows(heads, lines)


def _table(found: Cells) -> str:
    if not found:
        return "None of the cells run so far."
    lines = [[row, column, *(FIGURES[name](c) for name in SHOWN)] for (_, row, column), c in found.items()]
    return rows(["row", "column", *SHOWN], lines)
