"""The command line that publishes, and that everything committed is what it makes."""

import copy
import errno
import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest
from committed import ROOT

from audit.tables import plot, publish
from audit.tables.results import Experiment
from multistage.records import files as records
from multistage.records import runs
from multistage.storage import durable
from scripts import report as script

pytest.importorskip("matplotlib")


def stale(root):
    """Files of a repository that the script would write, by their paths; it writes none."""
    found = []

    def update(path, content):
        if not path.exists() or path.read_bytes() != content:
            found.append(path.relative_to(root).as_posix())
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "update", update)
        assert script.main([], root) == 0
    return set(found)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A repository with the smallest folder of results and with those of speed."""
    root = tmp_path_factory.mktemp("repository")
    (root / "docs").mkdir()
    for file in (ROOT / "README.md", ROOT / "DEVIATIONS.md", *ROOT.glob("docs/*.md")):
        shutil.copy(file, root / file.relative_to(ROOT))
    for name in ("first_light", "speed"):
        shutil.copytree(
            ROOT / "results" / name, root / "results" / name, ignore=shutil.ignore_patterns("artifacts", "README*")
        )
    shutil.copy(ROOT / "results" / "paper.yaml", root / "results")
    assert script.main([], root) == 0
    return root


@pytest.fixture
def repository(prepared, tmp_path, monkeypatch):
    """That repository once more, for a test to change; invented runs have no weights to show."""
    monkeypatch.setattr(script.artifacts, "publish_best", lambda *_: [])
    return shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def finish(tmp_path):
    """Write a record where train.py would; returns it as it is on disk."""

    def finish(record, name="ablation"):
        folder = tmp_path / "runs" / name / record["run"]
        folder.mkdir(parents=True, exist_ok=True)
        runs.finish(folder, record)
        return runs.read(folder)

    return finish


def test_everything_committed_is_what_its_records_make():
    """Tables, README, DEVIATIONS.md, explanations, claims and the page: if not, run python scripts/report.py."""
    assert stale(ROOT) <= {"results/CHANGES.md"}  # which a commit that changes records cannot know


FIRST = "results/first_light"
SHOWN = {
    "README.md",
    "docs/notebook.md",
    "docs/reproducing.md",
    "results/index.html",
    "results/results.json",
    *(f"{FIRST}/table.{suffix}" for suffix in ("csv", "md", "png")),
}


@pytest.mark.parametrize(
    ("file", "change", "named"),
    [
        ("table.csv", ("61.5590", "61.5591"), {f"{FIRST}/table.csv"}),
        ("table.md", ("61.56", "61.66"), {f"{FIRST}/table.md"}),
        ("records.jsonl", ("0.9835650324821472", "0.9735650324821472"), SHOWN),
        ("records.jsonl", ('"parameters": 36746', '"parameters": 36747'), {f"{FIRST}/table.png", "results/index.html"}),
    ],
    ids=["csv", "md", "figure of a record", "other field of a record"],
)
def test_what_is_stale_is_found_and_made_again(repository, file, change, named):
    path = repository / FIRST / file
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), encoding="utf-8")
    assert stale(repository) == named
    assert script.main([], repository) == 0
    assert stale(repository) == set()


def test_the_check_names_what_is_stale_and_writes_nothing(repository, capsys):
    assert script.main(["--check"], repository) == 0
    file = repository / FIRST / "table.csv"
    file.write_text("another", encoding="utf-8")
    assert script.main(["--check"], repository) == 1
    assert capsys.readouterr().out == f"stale: {FIRST}/table.csv\n"
    assert file.read_text(encoding="utf-8") == "another"


@pytest.mark.parametrize(
    "words",
    [["runs/ablation", "--check"], ["--check", "--redraw"], ["runs/ablation", "--restore", "--replace"]],
    ids=" ".join,
)
def test_options_without_effect_are_refused(repository, capsys, words):
    with pytest.raises(SystemExit):
        script.main(words, repository)
    assert "takes no" in capsys.readouterr().err


def test_nothing_is_written_where_nothing_changed(repository, capsys):
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*") if path.is_file()}
    assert script.main([], repository) == 0
    assert capsys.readouterr().out == ""
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*") if path.is_file()} == before


def test_runs_are_merged_and_none_vanishes_silently(repository, finish, record, capsys):
    target = repository / "results" / "ablation" / "records.jsonl"
    folder = repository / "runs" / "ablation"
    first, second, third = (record(0.9 + draw / 100, draw, data="digits") for draw in range(3))
    first, second = finish(first), finish(second)
    assert script.main([str(folder)], repository) == 0
    assert f"{target}: 2 runs, 2 of them new" in capsys.readouterr().out
    assert records.from_file(target) == [first, second]

    shutil.rmtree(folder / first["run"])
    newer = finish(record(0.5, 1, data="digits"))
    third = finish(third)
    assert script.main([str(folder)], repository) == 0
    said = capsys.readouterr().out
    assert (
        f"{target}: 3 runs, 1 of them new\nreplaced: {second['run']}\nkept, not in {folder}: {first['run']}\n" in said
    )
    assert records.from_file(target) == [first, newer, third]

    assert script.main([str(folder), "--replace"], repository) == 0
    assert f"{target}: 2 runs, 0 of them new\ndropped: {first['run']}\n" in capsys.readouterr().out
    assert records.from_file(target) == [newer, third]
    assert stale(repository) == set()


def test_published_runs_are_restored_as_finished_ones(repository, finish, record, capsys):
    """A new clone does only the others; what it publishes keeps the restored records, and runs of its own stay."""
    published, newer = record(0.9, 0, data="digits"), record(0.8, 1, data="digits")
    folder = repository / "runs" / "ablation"
    published = finish(published)
    assert script.main([str(folder)], repository) == 0
    shutil.rmtree(folder)

    newer = finish(newer)
    capsys.readouterr()
    assert script.main([str(folder), "--restore"], repository) == 0
    assert capsys.readouterr().out == f"{folder}: 1 published runs restored\n"
    assert runs.read(folder / published["run"]) == published
    assert runs.state(folder / published["run"]) == "finished"
    assert not runs.is_whole(folder / published["run"])
    assert script.main([str(folder)], repository) == 0
    assert records.from_file(repository / "results" / "ablation" / "records.jsonl") == [published, newer]

    (folder / newer["run"] / runs.RESULT).unlink()
    (folder / newer["run"] / runs.CONFIG).touch()
    capsys.readouterr()
    assert script.main([str(folder), "--restore"], repository) == 0
    assert capsys.readouterr().out == f"{folder}: 0 published runs restored; 2 not: begun here, or without checksum\n"
    assert runs.state(folder / newer["run"]) == "unfinished"


def test_what_was_not_published_cannot_be_restored(repository, capsys):
    assert script.main([str(repository / "runs" / "another"), "--restore"], repository) == 1
    assert "another" in (error := capsys.readouterr().err)
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "said"), [("none", "no finished run"), ("damaged", "damaged"), ("mixed", "cannot be compared")]
)
def test_runs_that_cannot_be_published_change_nothing(repository, finish, record, capsys, kind, said):
    folder = repository / "runs" / "first_light"
    folder.mkdir(parents=True)
    if kind == "damaged":
        written = finish(record(data="digits"), "first_light")
        (folder / written["run"] / runs.RESULT).write_text("{", encoding="utf-8")
    if kind == "mixed":
        finish(record(draw=1, data="caltech101", refine="false", readout="lbfgs"), "first_light")  # images made up
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    assert script.main([str(folder)], repository) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


HOSTILE = {
    "text for a number": ("metrics/test_mean_class_accuracy", "high"),
    "list for a number": ("seconds/test", [1]),
    "number for a text": ("device", 1),
    "too large a number": ("metrics/train_accuracy", 1e300),
    "run above": ("run", ".."),
    "run elsewhere": ("run", "../../../tmp/draw-0-seed-0"),
    "run without draw": ("run", "digits"),
    "draw of HTML": ("config/draw", "<b>0</b>"),
    "seed of HTML": ("config/seed", "<script>"),
    "no configuration": ("config", None),
    "unknown readout": ("config/readout", "transformer"),
    "newer key": ("config/attention.heads", 8),
    "newer version": ("results_version", 2),
    "class with escape": ("per_class", [{"name": "\x1b[2J", "correct": 0, "total": 1}]),
    "history of texts": ("history", {"train_loss": ["x"]}),
    "deep": ("more", [[[[[[[[1]]]]]]]]),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_record_from_elsewhere_is_named_in_one_line(repository, record, capsys, kind):
    """As published, its checksum right or none, and in the folder of a run."""
    place, value = HOSTILE[kind]
    *parents, last = place.split("/")
    wrong = copy.deepcopy(record(data="digits"))
    inside = wrong
    for key in parents:
        inside = inside[key]
    inside[last] = value
    file = repository / "results" / "invented" / "records.jsonl"
    file.parent.mkdir()
    folder = repository / "runs" / "foreign"
    folder.mkdir(parents=True)
    good = durable.stamp(record(draw=1, data="digits"))
    for given in (wrong, durable.stamp(wrong)):
        file.write_text(records.to_lines([good, given]), encoding="utf-8")
        assert script.main([], repository) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: {file}, line 2 cannot be read: ")
        assert (said.count("\n"), said.isascii()) == (1, True)
    shutil.rmtree(file.parent)
    (folder / runs.RESULT).write_text(json.dumps(durable.stamp(wrong)), encoding="utf-8")
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    assert script.main([str(folder)], repository) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {folder / runs.RESULT} cannot be read: ")
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("line", ["[]", "1", "null", "{}", "{", '"text"', "[" * 5000, '{"a": NaN}'])
def test_a_line_that_is_no_record_is_named(repository, capsys, line):
    file = repository / "results" / "first_light" / "records.jsonl"
    file.write_text(file.read_text(encoding="utf-8") + line, encoding="utf-8")
    assert script.main([], repository) == 1
    said = capsys.readouterr().err
    assert f"{file}, line 9 " in said
    assert said.count("\n") == 1


def test_a_pipe_is_not_waited_for(repository, capsys):
    folder = repository / "runs" / "foreign" / "one"
    folder.mkdir(parents=True)
    os.mkfifo(folder / runs.RESULT)
    assert script.main([str(folder.parent)], repository) == 1
    assert "not a regular file" in capsys.readouterr().err


def test_the_picture_is_the_same_each_time(ablation, published, tmp_path):
    drawn = partial(plot.draw, "ablation", Experiment(Path("ablation"), ablation(draws=2), published).tables)
    first, second = (plot.png(drawn, {"Records": "r", "Table": "t"}) for _ in range(2))
    assert first == second
    (tmp_path / "a.png").write_bytes(first)
    assert plot.carried(tmp_path / "a.png") == {"Records": "r", "Table": "t"}


def test_a_picture_that_cannot_be_written_leaves_the_one_before_it(ablation, published, tmp_path, monkeypatch):
    """Its metadata stand first: half a picture would pass for one that was drawn from these records."""
    experiment = Experiment(tmp_path, ablation(draws=1), published)
    picture = tmp_path / publish.PICTURE
    publish.publish(experiment)
    whole = picture.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable, "_flush", full)
    monkeypatch.setattr(plot, "MARKERS", ("D",))  # otherwise the same picture would be drawn
    with pytest.raises(OSError, match="No space left"):
        publish.publish(experiment, redraw=True)
    assert picture.read_bytes() == whole


def test_a_picture_that_is_none_carries_nothing(tmp_path):
    assert plot.carried(tmp_path / "absent.png") == {}
    (tmp_path / "text.png").write_text("text", encoding="utf-8")
    assert plot.carried(tmp_path / "text.png") == {}
