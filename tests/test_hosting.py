"""What the host of the repository reads: workflows, issue forms, hooks, citation, the container."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
FORMS = sorted(file for file in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml") if file.name != "config.yml")
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")


def check(*words):
    return subprocess.run([sys.executable, "-m", *map(str, words)], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", WORKFLOWS),
        ("github-issue-forms", FORMS),
        ("github-issue-config", [ROOT / ".github/ISSUE_TEMPLATE/config.yml"]),
        ("citation-file-format", [ROOT / "CITATION.cff"]),
    ],
)
def test_files_have_the_form_that_the_host_reads(schema, files, tmp_path):
    words = ("check_jsonschema", "--default-filetype", "yaml", "--builtin-schema", f"vendor.{schema}")
    found = check(*words, *files)
    assert found.returncode == 0, found.stdout
    broken = tmp_path / files[0].name
    broken.write_text("name: 3\n")
    assert check(*words, broken).returncode == 1


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_calls_scripts_that_can_be_run(file):
    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
    lines = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    scripts = [line for line in lines if line.startswith(".")]
    assert len(scripts) == 1
    assert os.access(ROOT / scripts[0], os.X_OK), scripts


def test_one_workflow_runs_all_of_ci_and_another_the_newest_dependencies_by_the_clock():
    texts = {file.name: file.read_text(encoding="utf-8") for file in WORKFLOWS}
    assert "- run: .ci/run\n" in texts["ci.yml"]
    assert "schedule:" in texts["newest.yml"]
    newest = (ROOT / ".ci/newest").read_text(encoding="utf-8")
    (line,) = [line for line in newest.splitlines() if line.startswith("uv pip install")]
    assert "--upgrade -e '.[dev]'" in line
    assert "requirements" not in line


def test_forms_have_fields_of_their_own_names_and_ask_for_what_repeats_a_run():
    for file in FORMS:
        names = [field["id"] for field in yaml.safe_load(file.read_text(encoding="utf-8"))["body"] if "id" in field]
        assert len(names) == len({*names}), file.name
    reproduction = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/reproduction.yml").read_text(encoding="utf-8"))
    required = {field.get("id") for field in reproduction["body"] if field.get("validations", {}).get("required")}
    assert required == {"outcome", "published", "command", "commit"}


def test_hooks_are_checks_of_ci_by_the_tools_of_the_environment():
    assert check("pre_commit", "validate-config").returncode == 0
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["entry"].startswith("uv run --no-sync "), hook["id"]
        if hook["id"] != "notebook":  # tests/texts/test_notebook.py
            assert hook["entry"] in CI.replace(" --check", ""), hook["id"]


def test_the_container_takes_what_the_package_is_made_of():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    everything, *lines = re.findall(r"(?m)^[^#\n]+$", (ROOT / ".dockerignore").read_text(encoding="utf-8"))
    taken = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert everything == "*"
    assert {*project["tool"]["hatch"]["build"]["only-include"], "pyproject.toml"} <= taken
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= taken
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"(?m)^COPY (.*) \S+$", dockerfile):
        assert {*line.split()} <= {*taken, "."}
    assert {*re.findall(r"requirements[\w-]*\.txt", dockerfile)} <= taken
    (entry,) = re.findall(r'ENTRYPOINT \["(.*)"\]', dockerfile)
    assert entry in project["project"]["scripts"]
    assert all((ROOT / name).exists() for name in taken)
