"""What README, docs and CONTRIBUTING promise is what CI runs and what exists."""

import re
import tomllib

import pytest
import yaml
from texts.pages import PAGES, ROOT, commands

from multistage.operations import normalisations, poolings, rectifications
from multistage.readout import readouts
from multistage.registry.errors import ConfigError
from multistage.settings import composition
from multistage.settings.config import options

CONTRIBUTING, ADDING, VARIANTS = (PAGES[page] for page in ("CONTRIBUTING.md", "docs/adding.md", "docs/variants.md"))
DEFAULTS = (ROOT / "conf/train.yaml").read_text(encoding="utf-8")


def test_ci_runs_the_test_command_of_the_readme():
    command = next(line for line in commands(PAGES["README.md"]) if line.endswith("pytest"))
    assert command in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("DEVIATIONS.md", "docs/layer.md")])
def test_settings_that_are_named_are_accepted(page, tmp_path, monkeypatch):
    """Each by itself, with what else it needs; nothing can be said of words in capitals."""
    monkeypatch.chdir(tmp_path)
    named = re.findall(r"`((?:[+a-z_][\w./]*=[^\s`=]+ ?)+)`", PAGES[page])
    for words in named:
        if not re.search(r"=[A-Z]|^hydra|^(experiment|schedule|callbacks)=$", words):
            for job in composition.expand([word for word in words.split() if not word.startswith("experiment=")]):
                plan_with_what_it_needs(job)


NEEDED = (
    *([], ["logger=wandb"], ["refine=false"], ["refine=false", "readout=lbfgs"], ["data=caltech101"]),
    *(
        ["filters=psd"],
        ["data=caltech101", "refine=false", "readout=kernel"],
        ["data=caltech101", "readout=pyramid_svm"],
    ),
)
"""What settings are typed with, that some runs alone read."""


def plan_with_what_it_needs(words):
    for needed in NEEDED:
        try:
            return composition.plan([*needed, *words])
        except ConfigError as refusal:
            refused = refusal
    raise refused


@pytest.mark.parametrize("text", [VARIANTS, DEFAULTS], ids=["variants.md", "train.yaml"])
@pytest.mark.parametrize("registry", [rectifications, normalisations, poolings, readouts], ids=lambda r: r.key)
def test_lists_of_what_can_be_chosen_are_complete(text, registry):
    for name in registry:
        assert re.search(rf"\b{name}\b", text), f"{registry.key}={name}"


def test_the_comment_on_settings_that_stand_in_no_file_has_all_of_them():
    values = {key for section in yaml.safe_load(DEFAULTS).items() for key in keys(*section)}
    files = {key for file in (ROOT / "conf/data").glob("*.yaml") for key in keys("", yaml.safe_load(file.read_text()))}
    described = {}
    for section, settings in re.findall(r"(\w+): (\{[^}]*\})", "\n".join(re.findall(r"^#.*", DEFAULTS, re.MULTILINE))):
        described |= {f"{section}.{name}": value for name, value in yaml.safe_load(settings).items()}
    expected = {key: option.default for key, option in options().items() if key not in values | files}
    assert {key: str(value) for key, value in described.items()} == {
        key: str(default).replace("0.0001", "1e-4")
        for key, default in expected.items()
        if not key.startswith("logger.")
    }


def keys(key, value):
    """The keys of a tree of settings, from its root or from `key` on."""
    if not isinstance(value, dict):
        return [key]
    return [full for name, inner in value.items() for full in keys(f"{key}.{name}".strip("."), inner)]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/adding.md", "docs/numbers.md"])
def test_files_that_are_named_exist(page):
    named = re.findall(r"`([\w.]+(?:/[\w.*]+)+/?)`", PAGES[page])
    for name in named:
        place = name.rpartition("/")[0] if re.search(r"NAME|NN", name) else name
        folders = (ROOT, ROOT / "src/multistage", ROOT / "src", ROOT / "tests/open_house")
        if not place.startswith(("results/NAME", "../shared")):
            assert any(list(folder.glob(place)) for folder in folders), name
    assert len(named) > 5


def test_contributing_has_the_rooms_of_the_contracts_in_their_order():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract.get("exhaustive"))
    _, _, table = CONTRIBUTING.partition("| room |")
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines() if row.startswith("| `")]
    assert [sorted(row) for row in rows] == [sorted(re.findall(r"\w+", floor)) for floor in layers]


def test_no_package_host_is_named_in_what_pins_versions():
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in requirements
    assert requirements.count("--hash=sha256:") > 500
