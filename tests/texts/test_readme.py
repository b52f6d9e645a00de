"""What README and CONTRIBUTING promise is what CI runs and what exists."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from multistage.operations import normalisations, poolings, rectifications
from multistage.readout import readouts
from multistage.registry.errors import ConfigError
from multistage.settings import composition, experiments, launchers
from multistage.settings.config import options

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DEFAULTS = (ROOT / "conf/train.yaml").read_text(encoding="utf-8")
COMMANDS = [line.strip() for line in README.splitlines() if line.startswith("    ") and "python" in line]


def test_ci_runs_the_test_command_of_the_readme():
    command = next(line for line in COMMANDS if line.endswith("pytest"))
    assert command in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()


def test_every_training_command_of_the_readme_is_accepted():
    checked = set()
    for line in COMMANDS:
        if match := re.search(r"python train\.py(.*?)(?:\s{2,}|$)", line):
            words = match[1].partition("#")[0].split()
            launchers.engine_of(words)
            overrides = tuple(word for word in words if not word.startswith(("-", "hydra")))
            if overrides not in checked:
                name = next((word.partition("=")[2] for word in overrides if word.startswith("experiment=")), None)
                rest = [word for word in overrides if not word.startswith("experiment=")]
                composition.plan_all(experiments.experiment(name, rest) if name else composition.expand(rest))
            checked.add(overrides)
    assert len(checked) >= 5


def test_settings_named_in_the_readme_are_accepted():
    """Each by itself, with what else it needs; nothing can be said of words in capitals."""
    named = re.findall(r"`((?:[+a-z_][\w./]*=[^\s`=]+ ?)+)`", README)
    checked = [words for words in named if not re.search(r"=[A-Z]|^hydra|^(experiment|schedule|callbacks)=$", words)]
    for words in checked:
        for job in composition.expand([word for word in words.split() if not word.startswith("experiment=")]):
            plan_with_what_it_needs(job)
    assert len(checked) >= 20


def plan_with_what_it_needs(words):
    for needed in ([], ["logger=wandb"], ["refine=false"], ["refine=false", "readout=lbfgs"], ["data=caltech101"]):
        try:
            return composition.plan([*needed, *words])
        except ConfigError as refusal:
            refused = refusal
    raise refused


@pytest.mark.parametrize("text", [README, DEFAULTS], ids=["README", "train.yaml"])
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


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_lead_somewhere(text):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_contributing_shows_a_real_file():
    (example,) = re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    file = ROOT / "src/multistage/operations/normalise/groupnorm.py"
    assert file.read_text(encoding="utf-8").endswith(example)


def test_files_that_contributing_names_exist():
    named = re.findall(r"`([\w.]+(?:/[\w.*]+)+/?)`", CONTRIBUTING)
    for name in named:
        place = name.rpartition("/")[0] if re.search(r"NAME|NN", name) else name
        if not place.startswith(("results/NAME", "../shared")):
            assert any(list(folder.glob(place)) for folder in (ROOT, ROOT / "src/multistage", ROOT / "src")), name
    assert len(named) > 30


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
