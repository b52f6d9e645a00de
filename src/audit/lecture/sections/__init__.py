"""The sections of the lecture, a module and its words each: ``lecture_04_equivariance.py`` and ``.yaml``.

Each module has ``measure(material: Material) -> Found``. They are found by listing this folder; the name of a module
begins with its claim, so that the order of names is the lecture's.
"""

import importlib
from pathlib import Path
from typing import Any

import yaml

from audit.lecture.material import Material
from audit.lecture.section import Section

HERE = Path(__file__).parent


def names() -> list[str]:
    """The modules of the sections, in the lecture's order; those of the paper's claims come after them."""
    return sorted(path.stem for path in HERE.glob("[a-z]*.py"))


def claim(name: str) -> str:
    """The claim of a module: ``lecture-04`` of ``lecture_04_equivariance``."""
    return "-".join(name.split("_")[:2])


def words(name: str) -> dict[str, Any]:
    """The words of a module's section."""
    return dict(yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8")))


def make(name: str, material: Material) -> Section:
    """Measure and draw one section.

    Args:
        name: Of its module.
        material: What it is given.

    Raises:
        ValueError: See `section.Section`.
    """
    return Section(claim(name), words(name), importlib.import_module(f"{__name__}.{name}").measure(material))
