"""Averages of several networks: their table says what the files say, and refuses files that do not fit."""

import json

import pytest
from ladder import figures
from report import invented

from audit.ladder import averages
from multistage.records.files import path
from multistage.registry.errors import MultistageError
from multistage.storage import durable

DRAWS = range(3)


def metrics(accuracy):
    return {"images": 9, "test_accuracy": 0.5, "test_mean_class_accuracy": accuracy}


def average(draw, accuracy, members, rest=None):
    """The file of an average; `members` has the accuracy of each averaged rung alone."""
    runs = [
        {"run": path(run), "recorded": run["metrics"], "metrics": metrics(alone)}
        for name, alone in members.items()
        for run in [figures.run(name, draw)]
    ]
    record = {"draw": draw, "metrics": metrics(accuracy), "runs": runs}
    return durable.stamp(record | ({"remaining": metrics(rest)} if rest else {}))


@pytest.fixture
def table(tmp_path):
    """Write averages to files, and return their table."""
    folder = tmp_path / "ladder" / averages.FOLDER
    folder.mkdir(parents=True)
    published = [figures.run(name, draw) for name in ("levels", "ridge", "UU") for draw in DRAWS]

    def make(*records, function="ladder_averages"):
        for number, record in enumerate(records):
            (folder / f"{number}.json").write_text(json.dumps(record), encoding="utf-8")
        page = figures.page(invented.results(tmp_path, ladder=published))
        return page.functions()[function]()

    return make


def test_without_files_there_is_no_table(table):
    assert table() == "None yet."


def test_the_gain_is_over_the_network_that_is_best_on_average(table):
    first = [average(draw, 0.70 + draw / 100, {"levels": 0.60 + draw / 100, "ridge": 0.50}, 0.6) for draw in DRAWS]
    first[2]["runs"].reverse()  # files may name networks in any order
    first[2] = durable.stamp({name: value for name, value in first[2].items() if name != durable.CHECKSUM})
    other = average(1, 0.80, {"ridge": 0.79, "UU": 0.81})
    (*_, best, second) = table(*first, other).splitlines()
    assert best == "| 1 UU and 2 ridge | 1 | 80.00 | −1.00 | – |"
    assert second == "| 2 ridge and 3 levels | 3 | 71.00 ± 2.48 | **+10.00 ± 0.00** | 60.00 ± 0.00 |"


def test_networks_that_were_tested_again_on_all_images_fill_the_column_of_their_rung(table):
    tested = [average(draw, 0.7, {"levels": 0.6, "ridge": 0.5}) for draw in DRAWS]
    for record, rest in zip(tested, (0.58, 0.60, 0.90), strict=True):
        record["runs"][0]["remaining"] = metrics(rest)
        del record[durable.CHECKSUM]
    tested[2]["runs"][0]["recorded"] = metrics(0.61)  # another network with the same settings
    lines = table(*map(durable.stamp, tested), function="ladder_rungs").splitlines()
    column = lines[0].split(" | ").index("all other images")
    assert [line.split(" | ")[column] for line in lines[2:]] == ["–", "–", "59.00 ± 12.71 (2)"]
    assert [line.split(" | ")[column + 1] for line in lines[2:]] == ["", "–", "–"]
    assert "Not tested on all other images: 1 UU and 2 ridge." in table(function="ladder_missing")


def test_their_gain_is_counted_draw_by_draw(table):
    tested = [average(draw, 0.7, {"levels": 0.6, "ridge": 0.5}) for draw in DRAWS]
    for record, (levels, ridge) in zip(tested, ((0.58, 0.50), (0.60, 0.50), (0.62, None)), strict=True):
        record["runs"][0]["remaining"] = metrics(levels)
        if ridge:
            record["runs"][1]["remaining"] = metrics(ridge)
        del record[durable.CHECKSUM]
    last = table(*map(durable.stamp, tested), function="ladder_rungs").splitlines()[-1].split(" | ")
    assert "+9.00 ± 12.71 (2) on 2" in " ".join(last).replace("**", "")


def test_files_that_do_not_fit_are_refused(table):
    good = average(0, 0.7, {"levels": 0.6, "ridge": 0.5})
    with pytest.raises(MultistageError, match=r"1\.json averages the same rungs on draw 0 as another file"):
        table(good, good)
    with pytest.raises(MultistageError, match=r"0\.json is damaged \(its checksum does not fit its content\)"):
        table({**good, "draw": 1})
    with pytest.raises(MultistageError, match=r"averages .*kernel.*, which is no run of a rung"):
        table(average(0, 0.7, {"levels": 0.6, "kernel": 0.5}))
