"""Trained models that come with the package, by name: ``caltech101/abs_lcn_avgpool``.

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
"""Of a model: its data set, and a word."""

EXPECTED = f"a folder with {RESULT} and {WEIGHTS}"


def names(models: Path | None = None) -> list[str]:
    """Of all models below a folder, sorted; of those that are shipped if None."""
    models = MODELS if models is None else models
    return sorted(file.parent.relative_to(models).as_posix() for file in models.glob(f"*/*/{RESULT}"))


def locate(run: Path | str) -> Path:
    """The folder of a run, whether it is there or not: the user's own, or that of a shipped model by its name.

    Args:
        run: A folder, a file in it, or a name. A `Path` that exists is a folder, even if it reads like a name.

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
                f"{name} is a shipped model, and here a folder, too; type ./{name} for the folder, {model} for the "
                "model"
            )
    return path.parent if path.is_file() else path


def unknown(run: Path | str, folder: Path) -> MultistageError:
    """The refusal of what is neither a finished run nor a shipped model, with the names that there are."""
    known = names()
    name = f", or a shipped model: {', '.join(known)}{nearest(str(run), known)}" if known else ""
    return MultistageError(f"{folder} is not a finished run; expected {EXPECTED}{name}")
