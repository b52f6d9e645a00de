"""Arrows between the rooms of audit point one way."""

import ast
from pathlib import Path

import audit

ARROWS = {
    "tables": set(),
    "claims": {"tables", "grid"},
    "grid": {"tables"},
    "ladder": {"tables"},
    "robustness": {"tables"},
    "angles": {"tables"},
    "speed": {"tables"},
    "instruments": set(),
    "models": {"tables"},
    "pages": {"tables", "claims", "speed", "ladder"},
    "lecture": {"tables", "pages", "instruments"},
    "explorer": {"tables", "pages"},
}


def imported(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if isinstance(node, ast.Import):
            yield from [alias.name for alias in node.names]


def test_rooms_import_what_they_may():
    folder = Path(audit.__file__).parent
    assert {path.name for path in folder.iterdir() if (path / "__init__.py").exists()} == set(ARROWS)
    for room, allowed in ARROWS.items():
        names = {name for file in (folder / room).rglob("*.py") for name in imported(file)}
        rooms = {name.split(".")[1] for name in names if name.startswith("audit.")}
        assert rooms - {room} <= allowed, room
