"""The sections of the lecture, one module each: ``lecture_04_equivariance.py`` makes the one of claim lecture-04.

Each has ``def section(material: Material) -> Section``. They are found by listing this folder; the name of a module
begins with its claim, so that the order of names is the lecture's.
"""

import importlib
from pathlib import Path

from audit.lecture.material import Material
from audit.lecture.section import Section


def names() -> list[str]:
    """The modules of the sections, in the lecture's order; those of the paper's claims come after them."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def claim(name: str) -> str:
    """The claim of a module: ``lecture-04`` of ``lecture_04_equivariance``."""
    return "-".join(name.split("_")[:2])


def make(name: str, material: Material) -> Section:
    """Measure and draw one section.

    Args:
        name: Of its module.
        material: What it is given.
    """
    section: Section = importlib.import_module(f"{__name__}.{name}").section(material)
    assert section.claim == claim(name), f"{name} makes {section.claim}"
    return section
