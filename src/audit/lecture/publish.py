"""results/lecture: one page that needs nothing but itself, its pictures, and figures for the ledger of claims."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from markupsafe import Markup

from audit.lecture.section import Section
from audit.tables.templates import ENVIRONMENT, render
from multistage.records.intervals import Measured, half_width
from multistage.storage import durable

INDEX, MEASURED = "index.html", "measured.json"

DIGITS = 6
"""Significant digits in ``measured.json``: more than any figure deserves, fewer than machines disagree about."""


def write(folder: Path, sections: Sequence[Section]) -> list[Path]:
    """Write page, pictures and figures; pictures of earlier pages are removed.

    Args:
        folder: ``results/lecture``; made if it does not exist.
        sections: In the lecture's order.

    Returns:
        The files that changed.

    Raises:
        KeyError: A text names what was not measured.
    """
    contents = {name: png for section in sections for name, png in section.pictures.items()}
    contents |= {INDEX: document(sections).encode(), MEASURED: figures(sections).encode()}
    folder.mkdir(parents=True, exist_ok=True)
    for old in set(folder.glob("*.png")) - {folder / name for name in contents}:
        old.unlink()
    return [folder / name for name, content in contents.items() if durable.update(folder / name, content)]


def figures(sections: Sequence[Section]) -> str:
    """All figures as JSON: by claim, by name."""
    content = {
        section.claim: {name: _rounded(asdict(measured)) for name, measured in section.measured.items()}
        for section in sections
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case tuple():
            return [_rounded(each) for each in value]
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case _:
            return value


def document(sections: Sequence[Section]) -> str:
    """The page.

    Raises:
        KeyError: A text names what was not measured.
    """
    return render("lecture/page.html", sections=sections)


def reframed(page: str) -> str:
    """A page with its own sections in what templates and style sheets now make around them; nothing is measured."""
    frame = document([])
    for start, end in (("<ol>", "</ol>"), ("</ol></nav>\n</div>\n", "</main>")):
        kept = page.partition(start)[2].partition(end)[0]
        frame = frame.replace(start + end, start + kept + end, 1)
    return frame


def prose(text: str, section: Section) -> Markup:
    """A text with its figures, what stands between backticks as code, and powers of ten as such."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(powers(section.fill(text)))))


def powers(text: str) -> Markup:
    """``7e-16`` as 7 times ten to the power of -16."""
    sign = {"-": "\N{MINUS SIGN}", "+": ""}
    return Markup(
        re.sub(
            r"(?<![\w.])(\d(?:\.\d+)?)e([+-])0*(\d+)\b",
            lambda number: f"{number[1]}\N{MIDDLE DOT}10<sup>{sign[number[2]]}{number[3]}</sup>",
            escape(text),
        )
    )


def with_interval(measured: Measured, form: str = ".3g") -> str:
    """A figure with half of its interval, unit and number of measurements: ``0.31 ± 0.02 (n = 40)``."""
    form = "," if isinstance(measured.value, int) else form
    half = "" if measured.interval is None else f" \N{PLUS-MINUS SIGN} {half_width(measured.interval):.1g}"
    unit = f" {measured.unit}" if measured.unit else ""
    return f"{measured.value:{form}}{half}{unit}" + (f" (n = {measured.n:,})" if measured.n > 1 else "")


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a picture, pixels."""
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    return width, height


ENVIRONMENT.filters |= {"size": size, "prose": prose, "powers": powers, "with_interval": with_interval}
