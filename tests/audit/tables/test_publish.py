"""The command line that publishes, and that everything committed is what it makes."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from audit.claims import templates
from audit.pages import readme
from audit.speed import table as speed
from audit.tables import layout, plot, publish
from audit.tables.addresses import addresses
from multistage.records import files as records
from multistage.records import runs
from multistage.records.cells import cells
from multistage.registry.errors import MultistageError

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[3]
FOLDERS = sorted(path.parent for path in (ROOT / "results").glob("*/records.jsonl"))

spec = importlib.util.spec_from_file_location("scripts_report", ROOT / "scripts" / "report.py")
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)


def stale(root, published):
    """Files below a repository that are not what its records make."""
    found = []
    for folder in sorted(path.parent for path in (root / "results").glob("*/records.jsonl")):
        made = records.from_file(folder / "records.jsonl")
        texts = publish.texts(folder.name, made, published)
        found += [folder / name for name, text in texts.items() if (folder / name).read_text(encoding="utf-8") != text]
        if plot.carried(folder / "table.png") != publish.metadata(made, texts):
            found.append(folder / "table.png")
    text = (root / "README.md").read_text(encoding="utf-8")
    measured = speed.read(root / "results" / "speed")
    if measured and (root / "results" / "speed" / "table.md").read_text(encoding="utf-8") != speed.table(measured):
        found.append(root / "results" / "speed" / "table.md")
    if readme.fill(text, root / "results", published) != text:
        found.append(root / "README.md")
    guesses = (root / "DEVIATIONS.md").read_text(encoding="utf-8")
    cells = addresses(root / "results", published)
    figures = templates.Figures(cells, published)
    if figures.refill(guesses, "DEVIATIONS.md") != guesses:
        found.append(root / "DEVIATIONS.md")
    explained = templates.readmes(root / "results", figures)
    found += [file for file, made in explained.items() if not file.exists() or file.read_text("utf-8") != made]
    return [path.relative_to(root).as_posix() for path in found]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, published):
    """A copy of what is published; the invented runs of these tests have no weights to show."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copy(ROOT / "README.md", root)
    shutil.copy(ROOT / "DEVIATIONS.md", root)
    (root / "results").mkdir()
    shutil.copy(ROOT / "results" / "paper.yaml", root / "results")
    for folder in (ROOT / "results" / "speed", *FOLDERS):
        if folder.name != "ablation":  # which these tests make
            shutil.copytree(folder, root / "results" / folder.name, ignore=shutil.ignore_patterns("artifacts"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script.artifacts, "publish_best", lambda *_: [])
        script.main([], root)
    assert stale(root, published) == []
    return root


@pytest.fixture
def repository(prepared, tmp_path, monkeypatch):
    """That copy once more, for a test to change."""
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


def test_everything_committed_is_what_its_records_make(published):
    assert FOLDERS
    assert stale(ROOT, published) == []


@pytest.mark.parametrize(
    ("file", "change", "named"),
    [
        ("table.csv", ("61.5590", "61.5591"), {"table.csv"}),
        ("table.md", ("61.56", "61.66"), {"table.md"}),
        (
            "records.jsonl",
            ("0.9835650324821472", "0.9735650324821472"),
            {"table.csv", "table.md", "table.png", "README"},
        ),
        ("records.jsonl", ('"parameters": 36746', '"parameters": 36747'), {"table.png"}),
    ],
    ids=["csv", "md", "figure of a record", "other field of a record"],
)
def test_the_check_sees_what_is_stale(repository, published, file, change, named):
    path = repository / "results" / "first_light" / file
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), encoding="utf-8")
    assert {re.sub(r".*/|\.md$(?<!table\.md)", "", name) for name in stale(repository, published)} == named
    assert script.main([], repository) == 0
    assert stale(repository, published) == []


def test_nothing_is_written_where_nothing_changed(repository, capsys):
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*") if path.is_file()}
    assert script.main([], repository) == 0
    assert capsys.readouterr().out == ""
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*") if path.is_file()} == before


def test_runs_are_merged_and_none_vanishes_silently(repository, finish, record, capsys, published):
    target = repository / "results" / "ablation" / "records.jsonl"
    folder = repository / "runs" / "ablation"
    first, second, third = (record(0.9 + draw / 100, draw, data="digits") for draw in range(3))
    first, second = finish(first), finish(second)
    assert script.main([str(folder)], repository) == 0
    assert f"{target}: 2 runs, 2 of them new" in capsys.readouterr().out
    assert records.from_file(target) == [first, second]
    assert stale(repository, published) == []

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
    assert stale(repository, published) == []


@pytest.mark.parametrize("kind", ["none", "damaged", "mixed"])
def test_runs_that_cannot_be_published_change_nothing(repository, finish, record, capsys, kind):
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
    assert {"none": "no finished run", "damaged": "damaged", "mixed": "cannot be compared"}[kind] in error
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


def test_the_picture_is_the_same_each_time(ablation, published, tmp_path):
    tables = layout.tables(cells(ablation(), published), published)
    for name in ("a.png", "b.png"):
        plot.draw("ablation", tables, {"Records": "r", "Table": "t"}, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert plot.carried(tmp_path / "a.png") == {"Records": "r", "Table": "t"}


def test_a_picture_that_is_none_carries_nothing(tmp_path):
    assert plot.carried(tmp_path / "absent.png") == {}
    (tmp_path / "text.png").write_text("text", encoding="utf-8")
    assert plot.carried(tmp_path / "text.png") == {}


def test_merge_orders_by_folder_and_says_what_it_replaced(record):
    one, two = record(data="digits"), record(data="digits", model="avgpool")
    same, other = dict(one), two | {"seconds": {"train": 1.0}}
    merged, replaced = records.merge([one, two], [other, same])
    assert merged == [one, other]
    assert replaced == [two["run"]]


def test_mixed_records_are_refused_before_anything_is_made(record, published):
    runs = [record(data="digits"), record(draw=1, data="digits") | {"data_hash": "another"}]
    with pytest.raises(MultistageError, match="data_hash"):
        publish.texts("x", runs, published)
