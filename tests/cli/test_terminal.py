import shlex
from pathlib import Path

from multistage.cli import terminal


def finished(record, accuracy, seconds=1.0, **settings):
    return {**record(accuracy, **settings), "seconds": {"train": seconds}, "parameters": 10}


def test_comparison_has_a_row_for_runs_that_differ_in_draw_and_seed_only(record):
    records = [finished(record, 0.5 + draw / 10, draw=draw, data="digits") for draw in (0, 1)]
    records.append(finished(record, 0.9, data="digits", model="avgpool"))
    header, best, second = terminal.comparison(records).splitlines()
    assert header.split() == ["run", "n", "per", "class", "+-", "(95", "%)", "training", "seconds"]
    assert best.split()[:3] == ["digits/avgpool/2/random-refined/softmax", "1", "90.00"]
    assert second.split()[:4] == ["digits/abs_lcn_avgpool/2/random-refined/softmax", "2", "55.00", "63.53"]


def test_comparison_shows_the_papers_value_where_it_has_one(record):
    run = finished(record, 0.6, data="caltech101", refine="false", readout="lbfgs")
    header, row = terminal.comparison([run]).splitlines()
    assert header.split()[-3:] == ["paper", "difference", "seconds"]
    assert row.split()[-3:] == ["62.9", "-2.90", "1.0"]


def test_a_line_says_how_its_cell_stands(record):
    siblings = [{**finished(record, value, draw=draw), "run": "some/run"} for draw, value in enumerate((0.5, 0.6))]
    assert terminal.line(siblings[0], siblings[:1], "1/2", 120) == "1/2  some/run  50.00 %  1.0 s  about 2 min left"
    assert terminal.line(siblings[1], siblings, "2/2", 0) == (
        "2/2  some/run  60.00 % (mean of 2: 55.00 +-63.53, 95 % interval)  1.0 s"
    )


def test_runs_that_repeat_each_other_are_counted_once(record):
    same = [finished(record, 0.5, draw=draw, seed=0) | {"split_hash": "the only one"} for draw in range(3)]
    assert "interval" not in terminal.line(same[2], same, "3/3", 0)
    assert terminal.comparison(same).endswith("2 more with the same images and seed; vary seed")


def test_durations_read_as_people_say_them():
    said = [terminal.duration(seconds) for seconds in (0.94, 89, 90, 5000, 5400, 7500)]
    assert said == ["0.9 s", "89.0 s", "2 min", "83 min", "1 h 30 min", "2 h 05 min"]


SEEN = {
    **{"images": 1797, "classes": 10, "train": 1300, "validation": 0, "test": 497, "colour": "gray", "flat": 0},
    **{"smallest": ["8", 174], "largest": ["3", 183], "notes": ["2 files are left out", "something else"]},
}


def test_a_summary_says_what_was_seen_and_its_commands_can_be_pasted(record):
    run = {**finished(record, 0.5), "run": "some/run", "device": "cpu", "images": SEEN}
    lines = terminal.summary(run, Path("-a b/c$(d)")).splitlines()
    assert lines[1:3] == [
        "images         1,797 gray in 10 classes of 174 (8) to 183 (3); 1,300 train, 497 test; 0 flat",
        "of these       2 files are left out; something else",
    ]
    assert shlex.split(lines[-1])[-2:] == ["./-a b/c$(d)", "IMAGE"]
    assert "validation" not in terminal.summary(run, Path("c"))
    run["metrics"] = {**run["metrics"], "validation_accuracy": 0.125, "train_accuracy": 0.75}
    found = terminal.summary(run, Path("c")).splitlines()
    assert {"validation     12.50%", "training       75.00%"} <= set(found)
    old = {name: value for name, value in run.items() if name != "images"}
    assert "images" not in terminal.summary(old, Path("c"))


def test_folders_of_images_are_told_apart(record):
    records = []
    for name in ("birds", "boats", "birds"):
        run = {**record(0.5), "images": {**SEEN, "notes": []}}
        run["config"] = {**run["config"], "data": "image_folder", "data.root": f"/{name}"}
        records.append(run)
    birds, boats = terminal.pictures(records)
    assert birds.startswith("image_folder /birds: ")
    assert boats.startswith("image_folder /boats: ")


def test_a_run_that_went_on_elsewhere_says_what_was_other(record):
    versions = {"torch": "2.9", "numpy": "2.0"}
    run = {**finished(record, 0.5), "run": "some/run", "device": "cpu", "threads": 4, "versions": versions}
    assert "resumed" not in terminal.summary(run, Path("c"))
    run["resumed"] = [{"epochs": 3, "threads": 2, "versions": {"torch": "2.8"}}, {"epochs": 7, "gone": 1}]
    assert (
        "resumed        after 3 epochs: threads was 2, is 4, torch was 2.8, is 2.9; after 7 epochs: gone was 1, is None"
        in terminal.summary(run, Path("c")).splitlines()
    )


def test_runs_that_came_to_nothing_say_so_in_lines_and_counts(record):
    tested = [{"name": name, "correct": 0, "total": 10} for name in "abcd"]
    told = "not clearly better than chance (25.0 % for 4 classes) with 40 test images"
    good, guessing, lost = runs = [
        {**finished(record, value, draw=draw, data="digits"), "per_class": tested, "device": "cpu"}
        for draw, value in enumerate([0.7, 0.3, 0.25])
    ]
    lost["diverged"] = "its loss is high"
    for run, remarks in zip(runs, ["", f", {told}", f", {told}, diverged: its loss is high"], strict=True):
        own = 100 * run["metrics"]["test_mean_class_accuracy"]
        assert terminal.line(run, [run], "1/3", 0) == f"1/3  {run['run']}  {own:.2f} %{remarks}  1.0 s"
        assert (told in terminal.summary(run, Path("c"))) == bool(remarks)
    assert "remarks" not in terminal.comparison([good])
    assert terminal.comparison([guessing]).endswith("  not clearly better than chance")
    assert terminal.comparison(runs).endswith("  1 diverged, 2 not clearly better than chance")
