"""Every block of README and docs/: what is typed is planned or run, Python is run or is a file of the repository."""

import re
import shlex
import tomllib
from importlib import metadata

import numpy as np
import pytest
from PIL import Image
from texts.pages import FENCED, PAGES, ROOT, blocks, commands

from multistage.cli import predict
from multistage.operations import rectifications
from multistage.settings import composition, experiments, launchers

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
INSTALL = "pip install --require-hashes -r requirements-build.txt && uv venv"
FILES = [
    file.read_text(encoding="utf-8")
    for folder in ("src/multistage", "tests/open_house")
    for suffix in ("py", "yaml")
    for file in (ROOT / folder).rglob(f"*.{suffix}")
]
RUNNABLE = [page for page in PAGES if page not in ("docs/layer.md", "docs/notebook.md")]
"""The layer's page has a test of its own, which needs torch alone; the notebook is executed by `.ci/run`."""


@pytest.fixture(scope="module")
def runs(train_once):
    """The folders of two trained runs."""
    return [str(train_once("trainer.max_epochs=1", f"seed={seed}")[0].folder) for seed in (0, 1)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the photographs that texts speak of."""
    for number, name in enumerate(("a/1.png", "a/2.png", "b/1.png", "b/2.png")):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_blocks_are_of_a_kind_that_is_tested(page):
    assert {language for _, language, _ in FENCED.findall(PAGES[page])} <= {"bash", "python", "yaml"}
    assert re.findall(r"^    +(?:python|pip) .*$", FENCED.sub("", PAGES[page]), re.MULTILINE) == []


TYPED = sorted({line for text in PAGES.values() for line in commands(text)})


def composed(line):
    """What a line that trains asks for, without what says who does it."""
    words = shlex.split(line)[2:]
    launchers.engine_of(words)
    return tuple(word for word in words if not word.startswith(("-", "hydra")))


@pytest.mark.parametrize(
    "words", {composed(line): None for line in TYPED if line.startswith("python train.py")}, ids=" ".join
)
def test_what_trains_is_accepted(words, folder):
    name = next((word.partition("=")[2] for word in words if word.startswith("experiment=")), None)
    rest = [word for word in words if not word.startswith("experiment=")]
    jobs = experiments.experiment(name, rest) if name else composition.expand(rest)
    assert composition.plan_all([jobs[0], jobs[-1]] if len(jobs) > 4 else jobs)  # tests of settings plan all of them


@pytest.mark.parametrize("line", [line for line in TYPED if line.startswith("python predict.py")])
def test_what_predicts_runs(line, folder, runs, capsys):
    given = iter(runs)
    words = [
        next(given) if word == "RUN" else word.replace("IMAGE", "photos/a/1.png") for word in shlex.split(line)[2:]
    ]
    assert predict.main(words) == 0, capsys.readouterr().err


@pytest.mark.parametrize("line", [line for line in TYPED if line.startswith("python scripts/")])
def test_scripts_have_what_is_typed(line):
    _, script, *words = shlex.split(line)
    text = (ROOT / script).read_text(encoding="utf-8")
    assert all(f'"{word}"' in text for word in words if word.startswith("--"))


def test_all_else_that_is_typed_is_known():
    others = [
        line for line in TYPED if not line.startswith(("python train.py", "python predict.py", "python scripts/"))
    ]
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    for line in others:
        if line.startswith(INSTALL):
            assert line in ci or line.replace("train.py", "-m pytest") in ci
        elif extra := re.fullmatch(r"pip install '?\.(?:\[([\w,]+)\])?'?", line):
            assert extra[1] is None or {*extra[1].split(",")} <= {*EXTRAS}
        else:
            assert _is_known(line), line


def _is_known(line):
    """A tool that an extra brings, or an installation by the files that pin it."""
    if line.startswith(("python -m pytest", "python3 -m venv env", "pip install --require-hashes", "uv venv")):
        return True
    tools = [
        part.removeprefix("uv run --no-sync ").removeprefix("python -m ").split()[0] for part in line.split(" && ")
    ]
    distributions = {re.split(r"[<>=\[]", each)[0] for extra in EXTRAS.values() for each in extra}
    return all(tool in distributions for tool in tools)


def test_commands_of_wandb_exist():
    wandb = pytest.importorskip("wandb.cli.cli")
    typed = [line.split()[1] for line in TYPED if line.startswith("wandb ")]
    assert {*typed} <= {*wandb.cli.commands}
    assert "wandb" in {point.name for point in metadata.entry_points(group="console_scripts")}


@pytest.mark.parametrize("page", RUNNABLE)
def test_python_runs_or_is_a_file(page, folder, runs, monkeypatch):
    monkeypatch.setattr(rectifications, "_found", {**rectifications._found})  # README registers one
    names = {"__name__": "page"}
    for number, block in enumerate(blocks(PAGES[page], "python"), 1):
        if not any(file.endswith(block) for file in FILES):
            exec(compile(block.replace('"RUN"', repr(runs[0])), f"{page}, block {number}", "exec"), names)


@pytest.mark.parametrize("page", PAGES)
def test_yaml_is_a_file(page):
    for block in blocks(PAGES[page], "yaml"):
        assert block in FILES
