"""The history of figures, replayed from repositories of a few commits."""

import subprocess

import pytest
from committed import ROOT
from report import invented

from audit.pages import changes
from multistage.records.files import to_lines
from multistage.registry.errors import MultistageError

NAME = "results/ablation/records.jsonl"


class Repository:
    def __init__(self, root):
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words):
        named = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", *named, *words], cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self, subject, *records, name=NAME):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(to_lines(records), encoding="utf-8")
        self.git("add", ".")
        self.git("commit", "-q", "-m", subject)


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def run(accuracy, draw=0, **settings):
    return invented.record(accuracy, draw, **settings)


def test_figures_come_move_and_go(repository):
    other = run(0.5, model="avgpool")
    repository.commit("first", run(0.6), other)
    repository.commit("a draw", run(0.6), run(0.7, 1), other)
    repository.commit("run again", run(0.64), run(0.7, 1), other)
    repository.commit("no | figure", run(0.64) | {"commit": "1" * 40}, run(0.7, 1), other)
    repository.commit("avgpool goes", run(0.64) | {"commit": "1" * 40}, run(0.7, 1))
    first, more, again, gone = changes.replay(repository.root, "HEAD")
    assert (first.subject, first.new, first.moved, first.gone) == ("first", {"ablation": 2}, [], [])
    figure = "ablation: digits/abs_lcn_avgpool/2/random-refined/softmax"
    assert [(each.figure, each.reason) for each in more.moved] == [(figure, "1 run added")]
    assert [each.reason for each in again.moved] == ["1 run added, 1 taken away"]
    assert gone.gone == ["ablation: digits/avgpool/2/random-refined/softmax"]
    text = changes.document(repository.root)
    assert f"| `{figure}` | 60.00 (1) | 65.00 (2) | 1 run added |" in text
    assert f"| `{figure}` | 65.00 (2) | 67.00 (2) | 1 run added, 1 taken away |" in text
    assert text.index(": avgpool goes") < text.index(": run again") < text.index(": first")
    assert "no | figure" not in text


def test_branches_are_told_once_and_a_merge_tells_nothing(repository):
    repository.commit("first", run(0.6))
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("side", run(0.5), name="results/mnist/records.jsonl")
    repository.git("checkout", "-q", "main")
    repository.commit("main", run(0.6), run(0.8, 1))
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert sorted(change.subject for change in changes.replay(repository.root, "HEAD")) == ["first", "main", "side"]


def test_records_that_change_places_and_two_branches_that_run_the_same_again_lose_no_run(repository):
    repository.commit("first", run(0.6), run(0.8, 1), run(0.7, 2))
    repository.commit("sorted", run(0.7, 2), run(0.8, 1), run(0.6))
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("side", run(0.7, 2), run(0.9, 1), run(0.6))
    repository.git("checkout", "-q", "main")
    repository.commit("main", run(0.7, 2), run(0.9, 1), run(0.6))
    repository.git("commit", "-q", "--allow-empty", "-m", "nothing")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    found = list(changes.replay(repository.root, "HEAD"))
    assert [change.subject for change in found if change.new or change.moved] == ["first", found[1].subject]
    assert [sorted(each.after.values()) for change in found for each in change.moved] == [[60, 70, 90]]


@pytest.mark.parametrize("setting", [("color.ui", "always"), ("log.showRoot", "false")])
def test_the_text_does_not_depend_on_settings_of_git(repository, setting):
    repository.commit("first", run(0.6))
    text = changes.document(repository.root)
    repository.git("config", *setting)
    assert changes.document(repository.root) == text
    assert "1 new figure in ablation" in text


def test_a_text_that_is_missing_is_not_current(repository):
    repository.commit("first", run(0.6))
    assert not changes.is_current(repository.root)


def test_a_commit_that_changes_records_is_told_by_the_next_text(repository):
    text = repository.root / "results" / changes.CHANGES
    repository.commit("first", run(0.6))
    text.write_text(changes.document(repository.root), encoding="utf-8")
    repository.commit("second", run(0.6), run(0.7, 1))  # with the text, which cannot name it
    assert "second" not in text.read_text(encoding="utf-8")
    assert changes.is_current(repository.root)
    text.write_text(changes.document(repository.root), encoding="utf-8")
    assert "second" in text.read_text(encoding="utf-8")
    assert changes.is_current(repository.root)
    text.write_text("typed", encoding="utf-8")
    assert not changes.is_current(repository.root)


def test_without_the_whole_history_nothing_is_told(repository, tmp_path):
    assert not changes.is_whole(tmp_path)
    repository.commit("first", run(0.6))
    repository.commit("second", run(0.7))
    assert changes.is_whole(repository.root)
    assert not changes.is_whole(repository.root / "results")
    shallow = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth", "1", f"file://{repository.root}", str(shallow))
    assert not changes.is_whole(shallow)
    with pytest.raises(MultistageError, match="git log fails"):
        list(changes.replay(tmp_path, "HEAD"))


@pytest.mark.skipif(not changes.is_whole(ROOT), reason="needs the whole history of this repository")
def test_the_committed_text_is_what_history_makes():
    assert changes.is_current(ROOT), "run python scripts/report.py"
