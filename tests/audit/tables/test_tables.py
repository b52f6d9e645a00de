import csv
import io
import random
import shlex
from pathlib import Path

import pytest

from audit.tables import tables
from audit.tables.differences import OTHER_IMAGES, differences
from audit.tables.results import Experiment
from multistage.records.cells import cells
from multistage.registry.errors import MultistageError
from multistage.settings import composition

FROZEN = {"refine": "false", "readout": "lbfgs"}


@pytest.fixture
def experiment(published):
    """A folder of results with these records."""
    return lambda records: Experiment(Path("x"), records, published)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


PRESETS = composition.names("model")


def block(markdown, title):
    """The lines of one table of a Markdown text, each as the list of its entries."""
    lines = markdown.split(f"## {title}\n\n")[1].split("\n\n")[0].splitlines()
    return [[text.strip() for text in line.strip("|").split("|")] for line in lines]


def test_caltech_is_laid_out_as_in_the_paper(record, experiment):
    runs = [
        record(0.53, data="caltech101", stages=1, **FROZEN),
        record(0.55, data="caltech101", stages=1),
        record(0.60, data="caltech101", model="relu_lcn_avgpool", **FROZEN),
        record(0.62, data="caltech101", **FROZEN),
        record(0.63, data="caltech101", refine="false", readout="sgd"),
        record(0.09, data="caltech101", model="avgpool", **FROZEN),
        record(0.64, data="caltech101"),
    ]
    one, two = experiment(runs).tables
    columns = ("R_abs-N-P_A", "R_abs-P_A", "N-P_M", "N-P_A", "P_A")
    assert one.protocols == ("R+", "R, lbfgs")  # the paper's order of rows
    assert two.protocols == ("R+R+", "RR, lbfgs", "RR, sgd")
    assert one.architectures == columns[:1]  # where several were run, all of the paper's are shown
    assert two.architectures == (*columns, "relu_lcn_avgpool")
    assert two.cells["RR, lbfgs", "P_A"].mean == pytest.approx(9)
    assert two.paper["RR, sgd", "P_A"]["value"] == 8.8
    assert two.paper["R+R+", "N-P_M"]["value"] == 60.0  # shown though it was not run
    grid = block(tables.to_markdown(experiment(runs)), two.title)
    assert grid[0] == ["", *two.architectures]
    assert [row[0] for row in grid[2:]] == list(two.protocols)
    assert grid[3][5] == "9.00 (1)<br>training 100.0<br>paper 8.8 ± 1.0<br>+0.20, within three points"
    assert grid[2][3] == "paper 60.0 ± 1.0<br>not run"
    assert grid[2][6] == ""


def test_three_stages_have_a_table_of_their_own_and_are_a_difference(record, experiment):
    data = [
        record(0.1 * n, draw, data=name, stages=n)
        for name in ("caltech101", "digits")
        for n in (1, 2, 3)
        for draw in (0, 1)
    ]
    made = experiment(data)
    found, tables_ = made.cells, made.tables
    assert [table.title.partition(":")[0] for table in tables_] == [
        *(f"caltech101, {words}" for words in ("one stage", "two stages", "three stages")),
        "digits",
    ]
    assert tables_[2].cells["R+R+R+", "R_abs-N-P_A"].mean == pytest.approx(30)
    assert tables_[3].protocols == ("refined", "refined, one stage", "refined, three stages")
    changes = {(c.before.config["stages"], c.after.config["stages"]): c.difference.value for c in differences(found)}
    assert changes == pytest.approx({(1, 2): 10, (1, 3): 20, (2, 3): 10})


def test_presets_that_the_paper_leaves_out_stand_without_its_columns_if_none_of_those_was_run(record, experiment):
    beyond = [record(0.5, data="caltech101", model=model) for model in ("relu_avgpool", "maxpool")]
    (table,) = experiment(beyond).tables
    assert (table.title, table.architectures) == ("caltech101, two stages", ("maxpool", "relu_avgpool"))
    of_paper = [record(0.6, data="caltech101"), record(0.6, data="caltech101", model="avgpool")]
    (table,) = experiment([*beyond, of_paper[0]]).tables
    assert table.title == "caltech101, two stages: Table 1 of the paper"
    assert len(table.architectures) == 3
    (table,) = experiment([*beyond, *of_paper]).tables
    assert len(table.architectures) == 7


def test_other_data_sets_have_presets_as_rows(ablation, experiment):
    made = experiment(ablation())
    found = {table.title: table for table in made.tables}
    digits = found["digits"]
    assert list(found) == ["caltech101, two stages: Table 1 of the paper", "digits"]
    assert digits.protocols == ("frozen, lbfgs", "refined")
    assert len(digits.architectures) == len(PRESETS)
    assert len(digits.cells) == 2 * len(PRESETS)
    grid = block(tables.to_markdown(made), "digits")
    assert [row[0] for row in grid[2:]] == [f"`{name}`" for name in digits.architectures]
    best = digits.cells["refined", "maxpool"]
    entry = next(row for row in grid if row[0] == "`maxpool`")[2]
    assert entry == f"{best.mean:.2f} ± {best.half_width:.2f} (5)"


def test_overrides_have_places_of_their_own(record, experiment):
    runs = [record(data="digits"), record(data="digits", optimizer__lr=0.1), record(data="digits", stages=1)]
    (table,) = experiment(runs).tables
    assert table.protocols == ("refined", "refined, one stage", "refined, optimizer.lr=0.1")
    caltech = [record(data="caltech101"), record(data="caltech101", contrast_norm__border="reflect")]
    (table,) = experiment([*caltech, record(data="caltech101", model="lcn_maxpool")]).tables
    assert table.protocols == ("R+R+", "R+R+, contrast_norm.border=reflect")
    assert ("R+R+", "P_A") in table.paper
    assert ("R+R+, contrast_norm.border=reflect", "P_A") not in table.paper


def test_runs_that_diverged_are_counted(record, experiment):
    wild = record(0.03, data="caltech101", draw=1, seed=1) | {"diverged": "the loss ended at 1e+09"}
    (table,) = experiment([record(0.61, data="caltech101"), wild]).tables
    entry = tables.entry(table, "R+R+", "R_abs-N-P_A")
    assert entry.split("<br>")[1] == "1 diverged"


def test_runs_that_repeat_another_are_counted(record, experiment):
    same = [record(0.61, data="caltech101", draw=draw, seed=0) | {"split_hash": "the only one"} for draw in range(3)]
    (table,) = experiment(same).tables
    entry = tables.entry(table, "R+R+", "R_abs-N-P_A")
    assert entry.split("<br>")[:2] == ["61.00 (1)", "2 more with the same images and seed"]


def test_two_cells_for_one_place_are_refused(record, experiment):
    first, second = record(data="digits"), record(data="digits", optimizer__lr=0.1)
    second["overrides"] = first["overrides"]  # as if the default had been another
    with pytest.raises(MultistageError, match="one place"):
        experiment([first, second])


def test_each_line_of_the_csv_leads_to_its_runs(ablation, experiment):
    made = ablation()
    lines = rows(tables.to_csv(experiment(made)))
    assert len(lines) == 10 + 2 * len(PRESETS)
    by_run = {record["run"]: record for record in made}
    seen = []
    for line in lines:
        runs, values = line["runs"].split("; "), [float(value) for value in line["values"].split("; ")]
        commands = line["commands"].split("; ")
        assert int(line["n"]) == len(runs) == len(values) == len(commands) == 5
        assert float(line["mean"]) == pytest.approx(sum(values) / 5, abs=1e-4)
        assert float(line["low"]) < float(line["mean"]) < float(line["high"])
        for run, value, command in zip(runs, values, commands, strict=True):
            assert by_run[run]["metrics"]["test_mean_class_accuracy"] == pytest.approx(value / 100, abs=1e-6)
            assert shlex.split(command)[2:] == by_run[run]["overrides"]
        seen += runs
    assert sorted(seen) == sorted(by_run)
    caltech = [line for line in lines if line["data"] == "caltech101"]
    assert {line["paper_row"] for line in caltech} == {"RR"}
    assert all(float(r["difference"]) == pytest.approx(float(r["mean"]) - float(r["paper"]), abs=1e-4) for r in caltech)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, ("R_abs-N-P_A", "abs", "lcn", "average")),
        ({"model": "avgpool"}, ("P_A", "none", "none", "average")),
        ({"model.rectify": "none", "model.pool": "max"}, ("N-P_M", "none", "lcn", "max")),
        ({"model.rectify": "square"}, ("", "square", "lcn", "average")),
        ({"contrast_norm.across_maps": "false"}, ("", "abs", "lcn", "average")),
        ({"model.stage2.pool": "l2"}, ("", "abs", "lcn", "average; l2")),
    ],
)
def test_the_csv_names_the_operations_that_ran_whatever_the_preset(record, experiment, settings, named):
    settings = {key.replace(".", "__"): value for key, value in settings.items()}
    (line,) = rows(tables.to_csv(experiment([record(0.5, data="caltech101", **FROZEN, **settings)])))
    assert tuple(line[name] for name in ("architecture", "rectify", "normalise", "pool")) == named


def test_tables_do_not_depend_on_the_order_of_draws(ablation, experiment):
    made = ablation()
    cell_of = {id(record): i // 5 for i, record in enumerate(made)}
    shuffled = list(made)
    random.Random(3).shuffle(shuffled)
    shuffled.sort(key=lambda record: cell_of[id(record)])  # draws in any order, cells in theirs
    before, after = map(experiment, (made, shuffled))
    assert tables.to_csv(before) == tables.to_csv(after)
    assert tables.to_markdown(before) == tables.to_markdown(after)


def test_differences_change_one_respect_each(ablation):
    changes = differences(cells(ablation()))
    assert [change.respect for change in changes] == sorted(
        (change.respect for change in changes),
        key=["model.rectify", "model.normalise", "model.pool", "refine", "readout"].index,
    )
    for change in changes:
        before, after = change.before.config, change.after.config
        assert before[change.respect] != after[change.respect]
        assert before["data"] == after["data"]
        assert change.difference.value == pytest.approx(change.after.mean - change.before.mean)
    refined = [change for change in changes if change.respect == "refine"]
    assert len(refined) == len(PRESETS)
    assert all(change.after.config["refine"] for change in refined)
    presets = {(c.before.config["model"], c.after.config["model"]) for c in changes if c.respect == "model.rectify"}
    assert presets == {
        ("avgpool", "abs_avgpool"),
        ("avgpool", "relu_avgpool"),
        ("abs_avgpool", "relu_avgpool"),
        ("lcn_avgpool", "abs_lcn_avgpool"),
        ("lcn_avgpool", "relu_lcn_avgpool"),
        ("abs_lcn_avgpool", "relu_lcn_avgpool"),
        ("maxpool", "abs_maxpool"),
        ("lcn_maxpool", "abs_lcn_maxpool"),
        ("batchnorm_avgpool", "abs_batchnorm_avgpool"),
        ("batchnorm_maxpool", "convnet"),
    }


def test_what_one_variant_does_not_read_is_no_difference(record):
    runs = [record(data="digits", model="avgpool"), record(data="digits", model="lcn_avgpool")]
    runs[0]["config"]["contrast_norm.border"] = "reflect"
    runs[0]["config"]["lbfgs.penalty"] = 1.0
    (change,) = differences(cells(runs))
    assert change.respect == "model.normalise"


def test_differences_without_shared_draws_are_left_out(record):
    assert differences(cells([record(model="avgpool"), record(draw=1, model="abs_avgpool")])) == []


@pytest.mark.parametrize("setting", OTHER_IMAGES[1:])
def test_runs_that_train_or_test_on_other_images_are_no_pair(record, setting):
    runs = [record(0.5, **{setting.replace(".", "__"): n}) | {"split_hash": str(n)} for n in (1, 2)]
    assert differences(cells(runs)) == []


def test_differences_that_leave_out_zero_are_bold(record, experiment):
    before = [record(0.90 + 0.001 * draw, draw, model="avgpool") for draw in range(3)]
    sure = [record(0.95 + 0.0011 * draw, draw, model="abs_avgpool") for draw in range(3)]
    unsure = [record(0.90 + 0.01 * (-1) ** draw, draw, model="relu_avgpool") for draw in range(3)]
    lines = block(tables.to_markdown(experiment([*before, *sure, *unsure])), "model.rectify")
    text = {(line[1], line[2]): line[3] for line in lines[2:]}
    assert text["avgpool", "abs_avgpool"] == "**+5.01 ± 0.02** (3)"
    assert text["avgpool", "relu_avgpool"].startswith("+0.23 ±")


@pytest.mark.parametrize(("value", "text"), [(1.234, "+1.23"), (-1.6, "\N{MINUS SIGN}1.60"), (-0.001, "0.00")])
def test_signs(value, text):
    assert tables.signed(value) == text
