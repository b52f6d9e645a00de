"""What an installation needs and finds: torch alone for layers and networks; `.ci/wheel` installs it for real."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import multistage
from multistage.cli import extras, predict, train
from multistage.records import paper, shipped
from multistage.settings import composition

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
IMPORTED_AS = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "pytorch-lightning": "pytorch_lightning",
    "wandb-workspaces": "wandb_workspaces",
}
BROUGHT_ALONG = {
    "omegaconf": "hydra",
    "torchmetrics": "pytorch_lightning",
    "lightning_fabric": "pytorch_lightning",
    "triton": "torch",
    "joblib": "sklearn",
}


def brought(*extras_):
    """What extras bring, by the names under which it is imported."""
    names = [re.split(r"[<>=]", line)[0] for extra in extras_ for line in PROJECT["optional-dependencies"][extra]]
    return {IMPORTED_AS.get(name, name) for name in names}


def imported(room=""):
    """What the package, or one room of it, imports from elsewhere."""
    found = set()
    for file in ROOT.joinpath("src/multistage", room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - {*sys.stdlib_module_names, "multistage"}


def test_the_package_needs_torch_alone_and_so_does_what_makes_networks():
    assert [re.split(r"[<>=]", line)[0] for line in PROJECT["dependencies"]] == ["torch"]
    for room in ("layers", "network", "operations"):
        assert imported(room) <= {"torch", "triton"}, room


def test_extras_bring_all_that_is_imported_and_nothing_else():
    needed = {BROUGHT_ALONG.get(name, name) for name in imported()} - {"torch"}
    needed.add("rich")  # which Lightning's RichProgressBar imports
    assert needed == brought("train", "wandb")


def test_what_is_refused_when_it_is_missing_is_what_the_extra_brings():
    assert {BROUGHT_ALONG.get(name, name) for name in extras.TRAIN} == brought("train")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        *((train.main, typed.split()) for typed in ("data=fake", "-m seed=0,1", "--cfg job", "experiment=ablation")),
        (predict.main, ["run", "image.png"]),
    ],
)
def test_commands_without_their_packages_name_them_and_what_brings_them(command, arguments, monkeypatch, capsys):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in ("hydra", "yaml") else name)
    assert command(arguments) == 1
    assert capsys.readouterr() == (
        "",
        "error: hydra, yaml not installed; type pip install 'multistage[train]'\n",
    )


def test_commands_are_functions_of_the_package():
    for name, target in PROJECT["scripts"].items():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
        assert name.removeprefix("multistage-") + ".py" in {file.name for file in ROOT.glob("*.py")}


def test_configuration_the_papers_figures_and_models_are_packed_where_they_are_looked_for():
    build = PYPROJECT["tool"]["hatch"]["build"]
    assert build["only-include"] == ["src/multistage", "conf", "results/paper.yaml", "results/models"]
    assert build["targets"]["wheel"]["sources"]["conf"] == "multistage/conf"
    assert build["targets"]["wheel"]["sources"]["results"] == "multistage/results"
    assert composition.CONF == ROOT / "conf"
    assert paper.PAPER == ROOT / "results/paper.yaml"
    assert shipped.MODELS == ROOT / "results/models"


@pytest.mark.parametrize("name", multistage.__all__)
def test_names_are_there_when_they_are_used(name):
    assert callable(getattr(multistage, name))


def test_nothing_heavy_is_imported_before_it_is_used():
    program = (
        "import sys; loaded = lambda *names: print([name for name in names if name in sys.modules])\n"
        "import multistage, multistage.settings.config, multistage.records.runs\n"
        "loaded('torch', 'hydra', 'wandb', 'pandas', 'matplotlib')\n"
        "multistage.Rectify; loaded('torch')\n"
        "import multistage.train.protocol; loaded('hydra', 'wandb', 'pandas')"  # torchmetrics takes matplotlib along
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.splitlines() == ["[]", "['torch']", "[]"]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-build.txt"])
def test_whatever_is_installed_is_pinned_and_hashed(file):
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^ *#.*\n", "", (ROOT / file).read_text(encoding="utf-8")).strip())
    assert len(entries) > 5
    for entry in entries:
        assert re.match(r"[\w.\[\]-]+==\S+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_so_is_what_builds_and_installs():
    pinned = re.findall(r"(?m)^([\w-]+)==", (ROOT / "requirements-build.txt").read_text(encoding="utf-8"))
    needed = [*PYPROJECT["build-system"]["requires"], *PYPROJECT["dependency-groups"]["build"]]
    assert {re.split(r"[<>=]", line)[0] for line in needed} <= {*pinned}
    assert "uv" in pinned
    for file in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert "pip install uv" not in text, file
        assert "pip install --require-hashes -r requirements-build.txt" in text, file
        assert text.count("uv pip install") == text.count("-b requirements-build.txt") > 0, file
    assert "uv build -q --require-hashes -b" in (ROOT / ".ci/wheel").read_text(encoding="utf-8")


def test_the_version_is_said_once_and_the_other_files_agree():
    assert "version" in PROJECT["dynamic"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "src/multistage/__init__.py"
    released = re.findall(r"(?m)^## \[(.+)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert released[0] == (multistage.__version__, str(cited["date-released"]))
    assert cited["version"] == multistage.__version__
    dates = [date for _, date in released]
    assert dates == sorted(dates, reverse=True)
