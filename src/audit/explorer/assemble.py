"""Assemble the explorer's page: a pure function of the files in ``results/explorer`` and ``results/models``."""

import json
from pathlib import Path

from markupsafe import Markup

from audit.explorer import digits, sets
from audit.tables.templates import render
from multistage.storage import durable

SCRIPTS = ("network", "image", "digit", "picture", "state", "rows", "enlarged", "drawing", "explorer")
"""Scripts in the order in which they run; only the last one starts the page."""


def write(results: Path) -> Path | None:
    """Write ``explorer.html`` into the folder of published results, see `document`; None if it did not change."""
    target, content = results / f"{sets.NAME}.html", document(results).encode()
    return target if durable.update(target, content) else None


def document(results: Path) -> str:
    """Render the page.

    Args:
        results: Folder with ``paper.yaml``, ``explorer/`` and ``models/``.

    Raises:
        MultistageError: Records or images are missing, weights are not published or do not match their records, or the
            page cannot compute a network.
    """
    data = [sets.mnist(results), sets.caltech101(results)]
    return render(
        "explorer/explorer.html",
        scripts=[f"explorer/{script}.js" for script in SCRIPTS],
        data=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),
        per_class=digits.PER_CLASS,
        photographs=len(data[1]["images"]),
        model=f"{sets.MODEL}/README.md",
    )
