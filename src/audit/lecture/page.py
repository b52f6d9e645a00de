"""results/lecture: one page that needs nothing but itself, its pictures, and figures for the ledger of claims."""

import base64
import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from audit.lecture.section import Picture, Section, Table
from multistage.records.intervals import Measured, half_width
from multistage.storage import durable

HERE = Path(__file__).parent
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
        ValueError: Two pictures of one name.
    """
    pictures = [picture for section in sections for picture in section.pictures]
    contents = {f"{picture.name}.png": picture.png for picture in pictures}
    if len(contents) < len(pictures):
        raise ValueError("two pictures of the lecture have the same name")
    contents |= {INDEX: document(sections).encode(), MEASURED: figures(sections).encode()}
    folder.mkdir(parents=True, exist_ok=True)
    for old in set(folder.glob("*.png")) - {folder / name for name in contents}:
        old.unlink()
    return [folder / name for name, content in contents.items() if durable.update(folder / name, content)]


def figures(sections: Sequence[Section]) -> str:
    """All figures as JSON: by claim, by name."""
    content = {
        section.claim: {
            name: {
                "value": _rounded(measured.value),
                "what": measured.what,
                "unit": measured.unit,
                "interval": measured.interval and [_rounded(end) for end in measured.interval],
                "n": measured.n,
            }
            for name, measured in section.measured.items()
        }
        for section in sections
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def document(sections: Sequence[Section]) -> str:
    """The page.

    Raises:
        KeyError: A text names what was not measured.
    """
    styles = (HERE.parent / "pages" / "page.css", HERE / "page.css")
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        style="".join(style.read_text(encoding="utf-8") for style in styles),
        contents="\n".join(f'<li><a href="#{s.claim}">{_prose(s, s.title)}</a></li>' for s in sections),
        sections="\n".join(map(_section, sections)),
    )


def _section(section: Section) -> str:
    pictures = "".join(_picture(section, picture) for picture in section.pictures)
    parts = [
        f'<h2><span class="claim">{section.claim}</span>{_prose(section, section.title)}</h2>',
        f"<p>{_prose(section, section.text)}</p>",
        f'<div class="pictures">{pictures}</div>' if pictures else "",
        *(_table(section, table) for table in section.tables),
        _figures(section),
    ]
    return f'<section id="{section.claim}">\n' + "\n".join(part for part in parts if part) + "\n</section>"


def _prose(section: Section, text: str) -> str:
    """A text with its figures, what stands between backticks as code, and powers of ten as such."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", _powers(escape(section.fill(text))))


def _powers(text: str) -> str:
    """``7e-16`` as 7 times ten to the power of -16."""
    sign = {"-": "\N{MINUS SIGN}", "+": ""}
    return re.sub(
        r"(?<![\w.])(\d(?:\.\d+)?)e([+-])0*(\d+)\b",
        lambda number: f"{number[1]}\N{MIDDLE DOT}10<sup>{sign[number[2]]}{number[3]}</sup>",
        text,
    )


def _picture(section: Section, picture: Picture) -> str:
    width, height = (int.from_bytes(picture.png[at : at + 4], "big") for at in (16, 20))
    data = base64.b64encode(picture.png).decode("ascii")
    alternative = escape(section.fill(picture.caption).replace("`", ""), quote=True)
    return (
        f'<figure><img width="{width}" height="{height}" alt="{alternative}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_prose(section, picture.caption)}</figcaption></figure>\n"
    )


def _table(section: Section, table: Table) -> str:
    classes = [
        ' class="right"' if all(re.match(r"[-\N{MINUS SIGN}\d]|$", row[i]) for row in table.rows) else ""
        for i in range(len(table.heads))
    ]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(table.heads, classes, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row"{classes[0]}>{escape(row[0])}</th>'
        + "".join(f"<td{kind}>{escape(text)}</td>" for text, kind in zip(row[1:], classes[1:], strict=True))
        + "</tr>"
        for row in table.rows
    )
    caption = f"<figcaption>{_prose(section, table.caption)}</figcaption>" if table.caption else ""
    return (
        f'<figure>{caption}<div class="scroll" tabindex="0" role="region" aria-label="table">'
        f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></figure>'
    )


def _figures(section: Section) -> str:
    entries = "".join(
        f"<dt>{name} = {_powers(with_interval(measured))}</dt><dd>{escape(measured.what)}</dd>"
        for name, measured in section.measured.items()
    )
    return f"<details><summary>All figures of this section</summary><dl>{entries}</dl></details>" if entries else ""


def with_interval(measured: Measured, form: str = ".3g") -> str:
    """A figure with half of its interval, unit and number of measurements: ``0.31 ± 0.02 (n = 40)``."""
    form = "," if isinstance(measured.value, int) else form
    half = "" if measured.interval is None else f" \N{PLUS-MINUS SIGN} {half_width(measured.interval):.1g}"
    unit = f" {measured.unit}" if measured.unit else ""
    return f"{measured.value:{form}}{half}{unit}" + (f" (n = {measured.n:,})" if measured.n > 1 else "")
