"""Folders of results with thousands of cells: work and files grow as the number of cells does, and no faster."""

from pathlib import Path

import pytest

from audit.pages import index
from audit.tables import differences, plot, publish, tables
from audit.tables.layout import MOST, foremost
from audit.tables.plot import SYMBOLS
from audit.tables.results import RECORDS, Experiment
from multistage.records import cells as cells_
from multistage.records.files import to_lines

MORE = MOST + 40


@pytest.fixture
def experiment(record, published, tmp_path):
    """A folder with so many cells, each with a learning rate of its own; the last of them has nothing typed."""

    def made(count, folder=tmp_path / "x"):
        one = record(data="digits", optimizer__lr=0.5)
        rates = [1 + number / 1000 for number in range(count - 1)]
        records = [
            {
                **one,
                "run": one["run"].replace("lr-0.5", f"lr-{rate}"),
                "config": {**one["config"], "optimizer.lr": rate},
                "overrides": ["data=digits", f"optimizer.lr={rate}"],
            }
            for rate in rates
        ]
        return Experiment(folder, [*records, record(data="digits")], published)

    return made


def counted(monkeypatch, owner, name):
    """How often a function is called from now on: a list that grows."""
    calls, function = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *given: calls.append(given) or function(*given))
    return calls


def test_a_folder_of_few_cells_shows_all(experiment):
    few = experiment(3).cells
    assert foremost(few, 3) == few


def test_the_foremost_are_those_of_the_paper_and_those_with_the_fewest_settings(record, experiment):
    many = experiment(MORE).cells
    chosen = foremost(many)
    assert len(chosen) == MOST
    assert chosen == [*many[: MOST - 1], many[-1]]
    of_paper = Experiment(Path("x"), [record(data="caltech101", optimizer__lr=0.1)], experiment(1).paper).cells
    assert foremost([*many, *of_paper], 2) == [many[-1], *of_paper]


def test_texts_grow_as_the_number_of_cells_does(monkeypatch, experiment):
    pairs = counted(monkeypatch, differences, "paired")
    few, many = (publish.texts(experiment(count)) for count in (MORE, 2 * MORE))
    assert len(pairs) == MOST * (MOST - 1)  # half of them for each folder
    for name in few:
        assert len(many[name]) - len(few[name]) < 600 * MORE
    assert f"Compared are {MOST} of the {MORE} variants" in few["table.md"]


def test_each_respect_is_written_once(monkeypatch, experiment):
    written = counted(monkeypatch, tables, "_changes")
    tables.to_markdown(experiment(9))
    assert len(written) == 1


def test_the_settings_of_each_record_are_read_once(monkeypatch, experiment):
    read = counted(monkeypatch, cells_, "bearing")
    made = experiment(30)
    assert len(read) == len(made.records)


def test_the_picture_and_the_page_draw_the_foremost_and_say_so(monkeypatch, experiment, published):
    drawn = []
    monkeypatch.setattr(plot, "draw", lambda *given: drawn.append(given))
    monkeypatch.setattr(plot, "png", lambda draw, _: draw() or b"")
    made = experiment(MORE)
    made.folder.mkdir()
    (made.folder / RECORDS).write_text(to_lines(made.records), encoding="utf-8")
    publish.publish(made)
    ((title, (table,)),) = drawn
    assert title == f"x: {SYMBOLS} of {MORE} variants"
    assert (len(table.cells), len(table.protocols), len(table.architectures)) == (SYMBOLS, SYMBOLS, 1)
    (block,) = index._experiment(made)["blocks"]
    assert block["drawn"] == MOST
    assert (block["first"], block["columns"]) == ("protocol", table.architectures)
    rows = [columns[0] for columns in dict(block["rows"]).values()]
    assert len(rows) == MORE
    assert [place.cell.mean for place in rows] == sorted((cell.mean for cell in made.cells), reverse=True)
    (best, _), *_ = block["figures"]
    assert f"Best is <b>abs_lcn_avgpool</b> ({rows[0].protocol})" in best
