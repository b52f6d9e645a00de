"""Other systems on Caltech-101, with their protocols: ``results/ladder/others.yaml``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from audit.tables.tables import rows
from multistage.registry.errors import MultistageError

FILE = "others.yaml"

CHECKED = {
    "read": "figure read there",
    "cited": "figure as a later paper cites it",
    "unread": "protocol read there; the figure was not checked and is left out",
}
"""How a figure is known, in words."""


@dataclass(frozen=True)
class Other:
    """A system.

    Attributes:
        system: What it is.
        source: Where its figure stands.
        images: What it sees.
        protocol: How it was trained and scored.
        checked: How the figure is known.
        value: Accuracy in %; None if it was not checked.
        line: What a line of the picture says; "" for no line.
    """

    system: str
    source: str
    images: str
    protocol: str
    checked: Literal["read", "cited", "unread"]
    value: float | None = None
    line: str = ""


def read(folder: Path) -> list[Other]:
    """Those of a folder, highest first; none if it has no such file.

    Raises:
        MultistageError: An entry that lacks something, or a figure that nobody checked.
    """
    path = folder / FILE
    if not path.exists():
        return []
    found = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["systems"]:
        try:
            other = Other(**entry)
        except TypeError as error:
            raise MultistageError(f"{path}: {error}") from None
        if other.checked not in CHECKED or (other.value is None) != (other.checked == "unread"):
            raise MultistageError(
                f"{path}: {other.system} has value={other.value} and checked={other.checked}; expected a figure and "
                f"how it is known ({', '.join(CHECKED)}), and none where it is unread"
            )
        found.append(other)
    return sorted(found, key=lambda other: -(other.value or 0))


def table(found: list[Other]) -> str:
    """Markdown: one system a row."""
    lines = [
        [
            *(other.system, "" if other.value is None else f"{other.value:g}", other.images, other.protocol),
            f"{other.source}; {CHECKED[other.checked]}",
        ]
        for other in found
    ]
    return rows(["system", "accuracy, %", "images", "protocol", "source"], lines)
