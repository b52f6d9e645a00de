"""``results/<name>/README.md`` from ``README.template.md`` beside it: prose whose figures come from records.

What stands between ``[[`` and ``]]`` names a figure, its parts between bars:

    [[table1 | RR, sgd | R_abs-P_A | mean]]          of a cell, by its folder, row and column in that folder's table.md
    [[table1 | UU, sgd | R_abs-P_A | filters.0.prediction_snr]] any number of the records, by its path, mean over runs
    [[table1 | RR, lbfgs | R_abs-P_A | minus | table1 | RR, sgd | R_abs-P_A]]       paired difference of two cells
    [[table1 | RR, lbfgs | R_abs-P_A | tried | table1 | RR, sgd | R_abs-P_A | the authors' classifier]]
                                                     the second cell's mean and what it is beyond the first's: a change
                                                     that was tried as the reason for the first one's miss, in words
    [[missed | table1]]                              a table of the cells that miss the paper by more than three points,
                                                     with all that is tried anywhere in the text
    [[turned | table1]]                              a table of the columns that stand in another order than the paper's

`misses` says what of this accounts for a miss.
"""

import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from audit.claims import misses
from audit.tables.addresses import Address, Cells
from audit.tables.addresses import cell as cell_at
from audit.tables.tables import plus_minus, signed
from multistage.records.cells import Cell, paired
from multistage.registry.errors import MultistageError
from multistage.storage import durable

TEMPLATE, TEXT = "README.template.md", "README.md"
HEADER = "<!-- Made from {template} and records by python scripts/report.py; do not edit. -->\n\n"
PLACE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)

Tried = dict[Address, dict[str, float | None]]
"""What a text tries as reasons for misses; `misses.Rests`."""

FIGURES: dict[str, Callable[[Cell], str | None]] = {
    "mean": lambda cell: f"{cell.mean:.2f}",
    "mean ±": lambda cell: plus_minus(cell.mean, cell.interval),
    "training": lambda cell: f"{cell.training:.1f}",
    "n": lambda cell: str(cell.n),
    "paper": lambda cell: str(cell.paper["value"]) if cell.paper else None,
    "difference": lambda cell: None if cell.difference is None else signed(cell.difference),
}
"""Figures of a cell by name."""

TABLES: dict[str, Callable[[Cells, str, Tried], str]] = {
    "missed": misses.table,
    "turned": lambda found, name, _: misses.table_of_turned(found, name),
}
"""Tables of a folder by name."""


def texts(results: Path, found: Cells) -> dict[Path, str]:
    """Every README below a folder of results that has a template, and its content.

    Args:
        results: The folder.
        found: As from `addresses.addresses`.

    Raises:
        MultistageError: A template that names what is not there; one line with its name.
    """
    return {
        template.with_name(TEXT): fill(template.read_text(encoding="utf-8"), found, template)
        for template in sorted(results.glob(f"*/{TEMPLATE}"))
    }


def write(results: Path, found: Cells) -> list[Path]:
    """Write what `texts` makes; the files that changed."""
    return [path for path, text in texts(results, found).items() if durable.update(path, text.encode())]


def fill(template: str, found: Cells, source: Path) -> str:
    """A template with its figures, then with its tables, as these say what the whole text explains.

    Args:
        template: Text.
        found: As from `addresses.addresses`.
        source: Of the template, for messages.

    Raises:
        MultistageError: What a place names is not there.
    """
    tried: Tried = {}

    def figure(place: re.Match[str]) -> str:
        parts = _parts(place)
        try:
            return place[0] if _is_table(parts) else _figure(parts, found, tried)
        except LookupError as error:
            raise MultistageError(f"{source}: [[{' | '.join(parts)}]] {error.args[0]}") from None

    def table(place: re.Match[str]) -> str:
        kind, name = _parts(place)
        if not any(address[0] == name for address in found):
            raise MultistageError(f"{source}: [[{kind} | {name}]] names no folder of results")
        return TABLES[kind](found, name, tried)

    return HEADER.format(template=source.name) + PLACE.sub(table, PLACE.sub(figure, template))


def _parts(place: re.Match[str]) -> list[str]:
    return [" ".join(part.split()) for part in place[1].split("|")]


def _is_table(parts: list[str]) -> bool:
    return len(parts) == 2 and parts[0] in TABLES


def _figure(parts: list[str], found: Cells, tried: Tried) -> str:
    """What stands for one place; `tried` collects reasons for misses."""
    if parts[3:4] == ["minus"] and len(parts) == 7:
        return _difference(_cell(parts[:3], found), _cell(parts[4:], found))
    if parts[3:4] == ["tried"] and len(parts) == 8:
        one, other = _cell(parts[:3], found), _cell(parts[4:7], found)
        rests = tried.setdefault((parts[0], parts[1], parts[2]), {})
        if parts[7] in rests:
            raise LookupError(f"says again what was tried: {parts[7]}")
        rests[parts[7]] = misses.rest(one, other)
        return f"{plus_minus(other.mean, other.interval)} ({_difference(other, one)})"
    if len(parts) != 4:
        raise LookupError("is no figure; expected FOLDER | ROW | COLUMN | FIGURE, as in the module explanations")
    cell = _cell(parts[:3], found)
    text = FIGURES[parts[3]](cell) if parts[3] in FIGURES else _recorded(cell, parts[3])
    if text is None:
        raise LookupError("is not there: the paper has no figure for this cell")
    return text


def _cell(parts: list[str], found: Cells) -> Cell:
    return cell_at((parts[0], parts[1], parts[2]), found)


def _difference(one: Cell, other: Cell) -> str:
    difference = paired(one, other)
    return signed(difference.mean, difference.interval)


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
