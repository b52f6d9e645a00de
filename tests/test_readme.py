"""What README promises about commands is what CI runs and what exists."""

import re
from pathlib import Path

from multistage.settings import composition, experiments, launchers

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.strip() for line in README.splitlines() if line.startswith("    ") and "python" in line]


def test_ci_runs_the_test_command_of_the_readme():
    command = next(line for line in COMMANDS if line.endswith("pytest"))
    assert command in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()


def test_every_training_command_of_the_readme_is_accepted():
    checked = 0
    for line in COMMANDS:
        if match := re.search(r"python train\.py(.*?)(?:\s{2,}|$)", line):
            words = match[1].partition("#")[0].split()
            launchers.check_engine([word for word in words if word.startswith("hydra")])
            overrides = [word for word in words if not word.startswith(("-", "hydra"))]
            name = next((word.partition("=")[2] for word in overrides if word.startswith("experiment=")), None)
            rest = [word for word in overrides if not word.startswith("experiment=")]
            for job in experiments.experiment(name, rest) if name else composition.expand(overrides):
                composition.plan(job)
            checked += 1
    assert checked >= 5


def test_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_no_package_host_is_named_in_what_pins_versions():
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in requirements
    assert requirements.count("--hash=sha256:") > 500
