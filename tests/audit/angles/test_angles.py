"""Angles to the nearest labelled view: counted from predictions, published, drawn."""

import json

import pytest
from report import invented

from audit.angles import count, page
from audit.angles.page import NOT_RUN, PICTURE, Page
from audit.claims.templates import Figures, readmes
from multistage.records import runs
from multistage.records.files import path
from multistage.registry.errors import MultistageError
from multistage.storage import durable

pytest.importorskip("matplotlib")

LABELLED = (0, 90)


def predictions(wrong_from, labelled=LABELLED):
    """Of one object: views further than so many degrees from a labelled one are put wrong."""
    lines = ["image,class,predicted,margin"]
    for degrees in range(0, 360, 5):
        if degrees not in labelled:
            away = min(min(abs(degrees - one), 360 - abs(degrees - one)) for one in labelled)
            lines.append(f"obj3/{degrees},obj3,{'obj3' if away < wrong_from else 'obj4'},0.1")
    return "\n".join(lines) + "\n"


def record(draw=0, labels=1, **more):
    typed = {"data": "coil20", "refine": "false", "readout": "lbfgs", "data__train_per_class": labels, **more}
    made = invented.record(0.5, draw, **typed)
    return made | {"per_class": [{"name": "obj3", "correct": 28, "total": 70}]}


def publish(tmp_path, records, text=None, finished=None):
    """Counts of runs; the folders of those that are finished (all, unless some are said) are there."""
    for each in finished or records:
        folder = tmp_path / "runs" / path(each)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / runs.RESULT).write_text(json.dumps(durable.stamp(dict(each))), encoding="utf-8")
        (folder / runs.CONFIG).touch()
        (folder / runs.PREDICTIONS).write_text(text or predictions(40), encoding="utf-8")
    target = tmp_path / "results" / "labels_coil20"
    target.mkdir(parents=True, exist_ok=True)
    count.publish(tmp_path / "runs", target, records)
    return target


def test_views_are_counted_by_the_angle_to_the_nearest_labelled_one():
    rows = [
        {"image": f"obj3/{degrees}", "class": "obj3", "predicted": "obj3" if degrees < 45 else "obj4"}
        for degrees in range(5, 360, 5)
        if degrees != 90
    ]
    counts = count.counted(rows)
    assert sum(tested for _, tested in counts.values()) == 70
    assert counts[5] == (1, 4)  # 5, 85, 95, 355
    assert counts[45] == (0, 3)  # 45, 135, 315
    assert max(counts) == 135
    assert counts[135] == (0, 1)  # 225


def test_an_object_of_which_every_view_tests_and_a_name_of_no_view_are_refused():
    every = [{"image": f"obj3/{degrees}", "class": "obj3", "predicted": "obj3"} for degrees in range(0, 360, 5)]
    with pytest.raises(ValueError, match="all views of obj3 test"):
        count.counted(every)
    with pytest.raises(ValueError, match="is not the name of a view"):
        count.counted([{"image": "ant/1", "class": "ant", "predicted": "ant"}])


def test_runs_are_counted_when_they_are_published_and_kept_afterwards(tmp_path):
    first, second = record(), record(draw=1)
    target = publish(tmp_path, [first])
    assert list(count.read(target)) == [path(first)]
    (tmp_path / "runs" / path(first) / runs.RESULT).unlink()
    publish(tmp_path, [first, second], finished=[second])
    found = count.read(target)
    assert sorted(found) == sorted([path(first), path(second)])
    assert {sum(right for right, _ in counts.values()) for counts in found.values()} == {28}
    before = (target / count.FILE).read_bytes()
    count.publish(tmp_path / "runs", target, [first, second])
    assert (target / count.FILE).read_bytes() == before


def test_predictions_of_another_run_are_refused(tmp_path):
    with pytest.raises(MultistageError, match="is not of this run: its record has 28 of 70 views right"):
        publish(tmp_path, [record()], predictions(60))
    with pytest.raises(MultistageError, match="missing or damaged"):
        publish(tmp_path, [record()], "image,predicted\nobj3/5,obj3\n")
    (tmp_path / "angles.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(MultistageError, match="damaged"):
        count.read(tmp_path)


def test_runs_that_leave_views_out_and_other_data_sets_are_not_counted(tmp_path):
    others = [record(data__test_per_class=3), record(data__validation=1, labels=4), record(data="norb", labels=20)]
    assert not count.read(publish(tmp_path, others))


@pytest.fixture(autouse=True)
def _of_one_object(monkeypatch):
    """Which has few views of any angle."""
    monkeypatch.setattr(page, "AT_LEAST", 1)


def pages(tmp_path):
    records = [record(draw, labels) for draw in (0, 1) for labels in (1, 2)]
    publish(tmp_path, records)
    return Page(invented.results(tmp_path / "results", labels_coil20=records))


def test_errors_are_those_of_fifteen_degrees_together(tmp_path):
    found = pages(tmp_path)
    (line,) = found.lines[2].values()
    assert {middle: point.value for middle, point in line.items()} == {
        10.0: 0.0,
        25.0: 0.0,
        40.0: pytest.approx(100 * (1 - 4 / 11)),  # 35 to 45: 40 and 45 are wrong
        **dict.fromkeys((55.0, 70.0, 85.0, 100.0, 115.0, 130.0), 100.0),
    }
    assert {point.n for point in line.values()} == {2}
    assert "| 5 to 15 | 0.00 ± 0.00 |" in found.by_views()


def test_angles_of_which_few_views_test_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "AT_LEAST", 9)
    (line,) = pages(tmp_path).lines[2].values()
    assert list(line) == [10.0, 25.0, 40.0]


@pytest.mark.parametrize("run", [False, True])
def test_page_and_picture_are_made_whatever_was_run(tmp_path, run):
    made = pages(tmp_path) if run else Page(invented.results(tmp_path / "results"))
    folder = tmp_path / "results" / "labels_coil20"
    folder.mkdir(exist_ok=True)
    (folder / "README.template.md").write_text("{{ angles_curves() }}\n\n{{ angles_by_views() }}\n", encoding="utf-8")
    (text,) = readmes(tmp_path / "results", Figures({}, []), **made.functions()).values()
    assert (NOT_RUN in text) == (not run) == (PICTURE not in text)
    assert made.picture() == (folder / PICTURE if run else None)
    assert made.picture() is None
