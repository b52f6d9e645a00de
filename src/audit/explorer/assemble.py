"""Put the explorer together: a pure function of what ``results/explorer`` and ``results/models`` hold."""

import json
from pathlib import Path

from markupsafe import Markup

from audit.explorer import digits, sets
from audit.tables.templates import render
from multistage.storage import durable

SCRIPTS = ("network", "image", "digit", "picture", "state", "rows", "enlarged", "drawing", "explorer")
"""In the order in which they run; only the last one begins anything."""


def write(results: Path) -> Path | None:
    """Write ``explorer.html`` into the folder of published results; see `document`. None if it was so already."""
    target, content = results / f"{sets.NAME}.html", document(results).encode()
    return target if durable.update(target, content) else None


def document(results: Path) -> str:
    """The page.

    Args:
        results: Folder with ``paper.yaml``, ``explorer/`` and ``models/``.

    Raises:
        MultistageError: No records or no images, weights that are not published or not the records', or a network that
            the page cannot compute.
    """
    data = [sets.mnist(results), sets.caltech101(results)]
    return render(
        "explorer/explorer.html",
        scripts=[f"explorer/{script}.js" for script in SCRIPTS],
        data=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),
        per_class={1: "first", 2: "two"}.get(digits.PER_CLASS, str(digits.PER_CLASS)),
        photographs=len(data[1]["images"]),
        model=f"{sets.MODEL}/README.md",
    )
