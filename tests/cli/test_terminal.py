from multistage.cli import terminal


def finished(record, accuracy, seconds=1.0, **settings):
    return {**record(accuracy, **settings), "seconds": {"train": seconds}, "parameters": 10}


def test_comparison_has_a_row_for_runs_that_differ_in_draw_and_seed_only(record):
    records = [finished(record, 0.5 + draw / 10, draw=draw, data="digits") for draw in (0, 1)]
    records.append(finished(record, 0.9, data="digits", model="avgpool"))
    header, best, second = terminal.comparison(records).splitlines()
    assert header.split() == ["run", "n", "per", "class", "±", "training", "seconds"]
    assert best.split()[:3] == ["digits/avgpool/2/random-refined/softmax", "1", "90.00"]
    assert second.split()[:4] == ["digits/abs_lcn_avgpool/2/random-refined/softmax", "2", "55.00", "63.53"]


def test_comparison_shows_the_papers_value_where_it_has_one(record):
    run = finished(record, 0.6, data="caltech101", refine="false", readout="lbfgs")
    header, row = terminal.comparison([run]).splitlines()
    assert header.split()[-3:] == ["paper", "difference", "seconds"]
    assert row.split()[-3:] == ["62.9", "-2.90", "1.0"]


def test_a_line_says_how_its_cell_stands(record):
    siblings = [{**finished(record, value), "run": "some/run"} for value in (0.5, 0.6)]
    assert terminal.line(siblings[0], siblings[:1], "1/2", 120) == "1/2  some/run  50.00 %  1.0 s  about 2 min left"
    assert terminal.line(siblings[1], siblings, "2/2", 0) == "2/2  some/run  60.00 % (mean 55.00 ± 7.07, n=2)  1.0 s"


def test_durations_read_as_people_say_them():
    said = [terminal.duration(seconds) for seconds in (0.94, 89, 90, 5000, 5400, 7500)]
    assert said == ["0.9 s", "89.0 s", "2 min", "83 min", "1 h 30 min", "2 h 05 min"]
