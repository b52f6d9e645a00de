"""Shipped models: trained models of the package, by name such as ``caltech101/abs_lcn_avgpool``.

    results/models/DATA/NAME/result.json  weights.safetensors  README.md

Each is a finished run whose record says under ``shipped`` how its weights are stored; `scripts/ship.py` makes them.
"""

import os
import re
from pathlib import Path

from multistage.records.runs import RESULT, WEIGHTS
from multistage.registry.errors import MultistageError
from multistage.registry.words import nearest
from multistage.settings.composition import CONF

MODELS = CONF.parent / "results" / "models"

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_-]*")
"""Pattern of a model's name: its data set and a word."""

EXPECTED = f"a folder with {RESULT} and {WEIGHTS}"


def names(models: Path | None = None) -> list[str]:
    """Return the names of all models below a folder, sorted; None: of shipped models."""
    models = MODELS if models is None else models
    return sorted(file.parent.relative_to(models).as_posix() for file in models.glob(f"*/*/{RESULT}"))


def locate(run: Path | str) -> Path:
    """Return the folder of a run (which may not exist): the user's own, or that of a shipped model by its name.

    Args:
        run: A folder, a file in it, or a name. A `Path` that exists is a folder, even if it looks like a name.

    Raises:
        MultistageError: A name that is also a folder here.
    """
    path, name = Path(os.path.expanduser(run)), str(run)  # noqa: PTH111  which leaves what has no home as it is
    if name in names():
        model = MODELS / name
        if not path.exists():
            return model
        if isinstance(run, str) and not path.samefile(model):
            raise MultistageError(
                f"{name} is a shipped model and also a folder here; type ./{name} for the folder, {model} for the model"
            )
    return path.parent if path.is_file() else path


def unknown(run: Path | str, folder: Path) -> MultistageError:
    """Return the error for what is neither a finished run nor a shipped model, with the known names."""
    known = names()
    name = f", or a shipped model: {', '.join(known)}{nearest(str(run), known)}" if known else ""
    return MultistageError(f"{folder} is not a finished run; expected {EXPECTED}{name}")
