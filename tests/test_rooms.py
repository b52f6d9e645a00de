"""The rooms of CONTRIBUTING and the arrows between them; pyproject.toml has them as contracts of import-linter."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/multistage"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
ROOMS = next(contract["layers"] for contract in CONTRACTS if contract.get("exhaustive"))


def lint(folder):
    """What import-linter says of the packages below `folder`/src, by the contracts in its pyproject.toml."""
    program = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    return subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True)


def test_arrows_point_downwards_and_there_are_no_circles():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


MISTAKES = {  # in a file, and what is said of them
    ("layers/rectify.py", "import multistage.cli"): "multistage.layers is not allowed to import multistage.cli",
    ("network/shapes.py", "import numpy"): "multistage.network is not allowed to import numpy",
    ("cli/one.py", "import hydra"): "multistage.cli is not allowed to import hydra",
    ("train/hardware.py", "import audit"): "multistage is not allowed to import audit",
}


@pytest.mark.parametrize("mistakes", [MISTAKES, {("loose.py", ""): "multistage.loose"}], ids=["upwards", "in no room"])
def test_an_arrow_that_points_upwards_and_a_module_in_no_room_are_found(tmp_path, mistakes):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "manifests"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in mistakes:
        with (tmp_path / "src/multistage" / file).open("a", encoding="utf-8") as module:
            module.write(f"\n{line}\n")
    result = lint(tmp_path)
    assert result.returncode == 1
    for named in mistakes.values():
        assert named in " ".join(result.stdout.split())


def test_nothing_lies_loose_at_the_packages_root():
    assert [file.name for file in PACKAGE.glob("*.py")] == ["__init__.py"]


def test_every_room_says_what_it_is_for_and_contributing_names_it():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = {room.strip("() ") for floor in ROOMS for room in floor.split("|")}
    for init in PACKAGE.glob("*/__init__.py"):
        room = init.parent.name
        assert room in rooms
        assert f"`{room}`" in text, room
        assert ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))), room
