"""Published results of other systems on Caltech-101, with their protocols: ``results/ladder/others.yaml``."""

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
"""How a figure was checked, in words."""


@dataclass(frozen=True)
class Other:
    """Another system.

    Attributes:
        system: Name and method.
        source: Paper that has its figure.
        images: Kind of images it was trained on.
        protocol: How it was trained and scored.
        checked: How the figure was checked.
        value: Accuracy in %; None if it was not checked.
        line: Label of its line in the picture; "" for no line.
    """

    system: str
    source: str
    images: str
    protocol: str
    checked: Literal["read", "cited", "unread"]
    value: float | None = None
    line: str = ""


def read(folder: Path) -> list[Other]:
    """Read a folder's systems, highest first; empty if it has no such file.

    Raises:
        MultistageError: An entry that is incomplete, or a figure that was not checked.
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
    """Markdown: a table with one row per system."""
    lines = [
        [
            *(other.system, "" if other.value is None else f"{other.value:g}", other.images, other.protocol),
            f"{other.source}; {CHECKED[other.checked]}",
        ]
        for other in found
    ]
    return rows(["system", "accuracy, %", "images", "protocol", "source"], lines)
