"""Put the explorer together: a pure function of the records, weights and digits in ``results/explorer``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from audit.explorer import digits
from audit.explorer.packed import pack
from audit.pages import artifacts, index
from audit.tables import layout
from audit.tables.templates import base64, render
from multistage.records.cells import cells
from multistage.records.files import from_file, path
from multistage.records.paper import published
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.storage import durable

NAME = "explorer"
"""Of the experiment, its folder of results and the page."""

DIGITS = "digits.png"

SCRIPTS = ("network", "digit", "picture", "state", "rows", "enlarged", "drawing", "explorer")
"""In the order in which they run; only the last one begins anything."""

FIRST = 7
"""The digit with which the page opens; a 7 has edges in several directions."""


def write(results: Path) -> Path | None:
    """Write ``explorer.html`` into the folder of published results; see `document`. None if it was so already."""
    target, content = results / f"{NAME}.html", document(results).encode()
    return target if durable.update(target, content) else None


def document(results: Path) -> str:
    """The page.

    Args:
        results: Folder with ``paper.yaml`` and ``explorer/``.

    Raises:
        MultistageError: No records or no digits, weights that are not published or not the records', or a network that
            the page cannot compute.
    """
    folder = results / NAME
    file = folder / DIGITS
    if not file.exists():
        raise MultistageError(f"{file} is missing; make it with python scripts/explorer.py --digits")
    data = {
        "classes": [str(label) for label in range(digits.CLASSES)],
        "digits": base64(digits.read(file).tobytes()),
        "first": FIRST,
        "presets": presets(folder, published(results / "paper.yaml")),
    }
    return render(
        "explorer/explorer.html",
        scripts=[f"explorer/{script}.js" for script in SCRIPTS],
        data=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),
        per_class={1: "first", 2: "two"}.get(digits.PER_CLASS, str(digits.PER_CLASS)),
    )


def presets(folder: Path, entries: Sequence[Record]) -> list[dict[str, Any]]:
    """Every network of the page: name, operations, accuracy and where it is recorded, and the packed network itself.

    Args:
        folder: ``results/explorer``.
        entries: The paper's figures.

    Returns:
        The paper's columns first, in its order, then the others by name.

    Raises:
        MultistageError: No records, or weights that are not published.
    """
    if not (folder / "records.jsonl").exists():
        raise MultistageError(f"{folder} holds no records; run python train.py experiment={NAME} and publish it")
    symbols = {entry["model"]: entry["column"] for entry in entries if entry["table"] == 1}
    tables = layout.tables(cells(from_file(folder / "records.jsonl"), entries), entries)
    places = [place for table in tables for place in index.places_of(folder, table)]
    rank = list(symbols)
    places.sort(key=lambda place: (rank.index(place.row) if place.row in rank else len(rank), place.row))
    found: list[dict[str, Any]] = []
    for place in places:
        packed = _packed(folder, place.cell.records[0])
        same = (other["name"] for other in found if all(other[key] == value for key, value in packed.items()))
        found.append(
            {
                "name": place.row,
                **{key: place.cell.config[f"model.{key}"] for key in ("rectify", "normalise", "pool")},
                "paper": symbols.get(place.row),
                "accuracy": f"{place.cell.mean:.2f}",
                "link": f"index.html#{place.identifier}",
                "same_as": next(same, None),
                **packed,
            }
        )
    return found


def _packed(folder: Path, record: Record) -> dict[str, Any]:
    net = artifacts.network(folder, record)
    if net is None:
        raise MultistageError(f"{artifacts.folder(folder, record)} holds no weights; publish {path(record)} again")
    steps, values = pack(net)
    return {**steps, "values": base64(values)}
