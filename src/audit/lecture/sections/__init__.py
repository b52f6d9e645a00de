"""The sections of the lecture, each a module and its words: ``lecture_04_equivariance.py`` and ``.yaml``.

Each module has ``measure(material: Material) -> Found``. Modules are found by listing this folder; a module's name
begins with its claim, so that sorting by name gives the lecture's order.
"""

import importlib
from pathlib import Path
from typing import Any

import yaml

from audit.lecture.material import Material
from audit.lecture.section import Section

HERE = Path(__file__).parent


def names() -> list[str]:
    """List the modules of the sections, in the lecture's order, then those of the paper's claims."""
    return sorted(path.stem for path in HERE.glob("[a-z]*.py"))


def claim(name: str) -> str:
    """Return the claim of a module: ``lecture-04`` for ``lecture_04_equivariance``."""
    return "-".join(name.split("_")[:2])


def words(name: str) -> dict[str, Any]:
    """Read the words of a module's section."""
    return dict(yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8")))


def make(name: str, material: Material) -> Section:
    """Measure and draw one section.

    Args:
        name: Name of its module.
        material: Images, networks and filters.

    Raises:
        ValueError: See `section.Section`.
    """
    return Section(claim(name), words(name), importlib.import_module(f"{__name__}.{name}").measure(material))
