"""What a record says of the code, in real repositories."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from multistage.records import provenance

LOOK = """
import json
from multistage.records import provenance
before = provenance.started()
{change}
print(json.dumps([before, provenance.of_result()]))
"""


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=environment).stdout


def repository(folder):
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture
def checkout(tmp_path):
    """As much of the package as the question needs, where it lies in a checkout."""
    root = tmp_path / "checkout"
    for part in ("__init__.py", "records/__init__.py", "records/provenance.py", "storage/__init__.py"):
        (root / "src/multistage" / part).parent.mkdir(parents=True, exist_ok=True)
        (root / "src/multistage" / part).write_text("")
    for part in ("records/provenance.py", "storage/code.py", "storage/durable.py"):
        shutil.copy(provenance.PACKAGE / part, root / "src/multistage" / part)
    (root / "conf").mkdir()
    (root / "conf/train.yaml").write_text("a: 1\n")
    (root / ".gitignore").write_text("__pycache__\n")
    return root


def asked(root, change="", source="src", **environment):
    """What a process that runs this package says at its beginning and, after a change, at its end."""
    command = [sys.executable, "-c", LOOK.format(change=change)]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / source)} | environment,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_checkout_names_its_commit_and_whether_files_differ(checkout):
    commit = repository(checkout)
    before, record = asked(checkout)
    assert before == record == {"commit": commit, "dirty": False, "code": before["code"]}
    (checkout / "notes.txt").write_text("no code")
    assert asked(checkout)[1] == before
    for new in ("src/multistage/records/more.py", "conf/more.yaml"):
        (checkout / new).write_text("")
        said = asked(checkout)[1]
        assert (said["commit"], said["dirty"]) == (commit, True)
        assert said["code"] != before["code"]
        (checkout / new).unlink()
    (checkout / "conf/train.yaml").write_text("a: 2\n")
    assert asked(checkout)[1]["dirty"] is True


def test_the_commit_is_that_of_the_beginning_and_a_change_meanwhile_is_said(checkout):
    commit = repository(checkout)
    move = "import subprocess, pathlib; pathlib.Path('conf/train.yaml').write_text('a: 3')\n"
    move += (
        "subprocess.run(['git', '-c', 'user.name=A', '-c', 'user.email=a@b.c', 'commit', '-qam', 'moved'], check=True)"
    )
    before, record = asked(checkout, move)
    now = git(checkout, "rev-parse", "HEAD").strip()
    assert now != commit
    assert record == {**before, "code_at_end": {"commit": now, "code": record["code_at_end"]["code"]}}
    assert before["commit"] == commit
    assert record["code_at_end"]["code"] != before["code"]


def test_a_package_inside_another_repository_is_of_no_commit(checkout, tmp_path):
    repository(tmp_path)
    (installed := tmp_path / "venv/site-packages").mkdir(parents=True)
    shutil.copytree(checkout / "src/multistage", installed / "multistage")
    for root, source in ((checkout, "src"), (tmp_path, "venv/site-packages")):
        record = asked(root, source=source)[1]
        assert (record["commit"], record["dirty"]) == (None, None)
        assert len(record["code"]) == 16


def test_what_the_environment_says_of_another_repository_does_not_count(checkout, tmp_path):
    commit = repository(checkout)
    (other := tmp_path / "other").mkdir()
    (other / "file").write_text("")
    assert repository(other) != commit
    before, _ = asked(checkout, GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other))
    assert (before["commit"], before["dirty"]) == (commit, False)


def test_this_checkout_knows_itself():
    root = Path(__file__).parents[2]
    if (root / ".git").exists():
        assert provenance.code()["commit"] == git(root, "rev-parse", "HEAD").strip()


A = {"commit": "a", "threads": 1, "versions": {"torch": "2.7", "python": "3.11"}}
B = {"commit": "a", "threads": 2, "versions": {"torch": "2.8", "python": "3.11"}}


def test_a_run_that_went_on_as_before_says_nothing():
    once = provenance.stretches([], A, 0)
    assert provenance.stretches(once, A, 3) == once == [A]
    assert provenance.resumed(once) == {}


def test_a_run_that_went_on_otherwise_says_how():
    done = provenance.stretches(provenance.stretches([A], B, 3), A, 7)
    assert provenance.resumed(done) == {
        "resumed": [{"epochs": 3}, {"threads": 2, "versions": {"torch": "2.8"}, "epochs": 7}]
    }
