"""Write results/lecture: the measurements (figures for claims, tables, pictures) and the page made from them."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from audit.lecture.section import Found, Section, Table, picture_file
from audit.tables.templates import ENVIRONMENT, render
from multistage.records.intervals import Measured, half_width
from multistage.registry.errors import MultistageError
from multistage.storage import durable

INDEX, MEASURED, TABLES = "index.html", "measured.json", "tables.json"

DIGITS = 6
"""Significant digits in ``measured.json``: more than are shown, and few enough that machines agree on them."""


def write(folder: Path, sections: Sequence[Section]) -> list[Path]:
    """Write figures, tables, pictures and the page; remove pictures that these sections no longer have.

    Args:
        folder: ``results/lecture``; made if it does not exist.
        sections: In the lecture's order.

    Returns:
        The files that changed.

    Raises:
        MultistageError: A text names what was not measured.
    """
    contents = {name: png for section in sections for name, png in section.pictures.items()}
    contents |= {MEASURED: figures(sections).encode(), TABLES: tables(sections).encode()}
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {file for section in sections for file in folder.glob(picture_file(section.claim, "*"))}
    for old in drawn - {folder / name for name in contents}:
        old.unlink()
    changed = [folder / name for name, content in contents.items() if durable.update(folder / name, content)]
    return changed + write_page(folder, {section.claim: section.words for section in sections})


def write_page(folder: Path, words: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Write the page from a folder's measurements, without measuring; return its file if it changed.

    Args:
        folder: ``results/lecture``.
        words: Words of each section, by its claim.

    Raises:
        MultistageError: Words and measurements do not match.
    """
    page = document(read(folder, words)).encode()
    return [folder / INDEX] if durable.update(folder / INDEX, page) else []


def read(folder: Path, words: Mapping[str, Mapping[str, Any]]) -> list[Section]:
    """Read the sections of a folder from its figures, tables and pictures; see `write_page`."""
    measured, kept = (json.loads((folder / name).read_text("utf-8")) for name in (MEASURED, TABLES))
    sections = []
    for claim, said in words.items():
        if missing := said["figures"].keys() - measured.get(claim, {}).keys():
            raise MultistageError(f"{claim}.{min(missing)} was not measured; run python scripts/lecture.py")
        found = Found(
            {name: _measured(measured[claim][name]) for name in said["figures"]},
            {name: (folder / picture_file(claim, name)).read_bytes() for name in said.get("pictures", {})},
            {name: Table(**table) for name, table in kept[claim]["tables"].items()},
            kept[claim]["names"],
        )
        sections.append(Section(claim, said, found))
    return sections


def _measured(stored: dict[str, Any]) -> Measured:
    return Measured(**{**stored, "interval": stored["interval"] and tuple(stored["interval"])})


def tables(sections: Sequence[Section]) -> str:
    """Encode all tables and the names used by captions as JSON, by claim."""
    content = {
        section.claim: {
            "tables": {name: {"heads": each.heads, "rows": each.texts} for name, each in section.found.tables.items()},
            "names": section.found.names,
        }
        for section in sections
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def figures(sections: Sequence[Section]) -> str:
    """Encode all figures as JSON, by claim and name."""
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
    """Render the page.

    Raises:
        MultistageError: A text names what was not measured.
    """
    return render("lecture/page.html", sections=sections)


def prose(text: str, section: Section) -> Markup:
    """Fill a text with its figures, and format code and powers of ten."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(powers(section.fill(text)))))


def powers(text: str) -> Markup:
    """Format ``7e-16`` as 7 times ten to the power of -16."""
    sign = {"-": "\N{MINUS SIGN}", "+": ""}
    return Markup(
        re.sub(
            r"(?<![\w.])(\d(?:\.\d+)?)e([+-])0*(\d+)\b",
            lambda number: f"{number[1]}\N{MIDDLE DOT}10<sup>{sign[number[2]]}{number[3]}</sup>",
            escape(text),
        )
    )


def with_interval(measured: Measured) -> str:
    """Format a figure with half its interval, unit and number of measurements: ``0.31 ± 0.02 (n = 40)``."""
    form = "," if isinstance(measured.value, int) else ".3g"
    half = "" if measured.interval is None else f" \N{PLUS-MINUS SIGN} {_one_digit(half_width(measured.interval))}"
    unit = f" {measured.unit}" if measured.unit else ""
    return f"{measured.value:{form}}{half}{unit}" + (f" (n = {measured.n:,})" if measured.n > 1 else "")


def _one_digit(value: float) -> str:
    return f"{value:.0f}" if value >= 1 else f"{value:.1g}"


def size(png: bytes) -> tuple[int, int]:
    """Return width and height of a picture, pixels."""
    with Image.open(io.BytesIO(png)) as image:
        return image.size


ENVIRONMENT.filters |= {"size": size, "prose": prose, "powers": powers, "with_interval": with_interval}
