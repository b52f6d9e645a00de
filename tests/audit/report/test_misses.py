import pytest

from audit.claims import misses
from audit.tables.layout import Placed
from multistage.records.cells import cells


def cell(record, published, accuracies, **settings):
    """Of random frozen filters on Caltech-101, by draw; the paper has 33.7."""
    settings = {"readout": "lbfgs", "model": "abs_avgpool"} | settings
    runs = [record(a, draw, data="caltech101", refine="false", **settings) for draw, a in accuracies.items()]
    return cells(runs, published)[0]


REMAINDERS = {
    "all": ({0: 0.33, 1: 0.34}, -0.2),
    "in part": ({0: 0.37, 1: 0.38}, 3.8),
    "beyond": ({0: 0.23, 1: 0.24}, -10.2),
    "two runs, however far apart": ({0: 0.33, 1: 0.60}, 12.8),
    "two runs, near": ({0: 0.53, 1: 0.52}, None),
    "chance": ({0: 0.33, 1: 0.34, 2: 0.70}, None),
    "away from the paper": ({0: 0.73, 1: 0.75}, None),
    "one run, near": ({0: 0.51}, None),
    "one run of two, by what it moves": ({0: 0.35}, 2.3),
}


@pytest.mark.parametrize(("other", "left"), REMAINDERS.values(), ids=REMAINDERS)
def test_an_explanation_leaves_what_it_does_not_move(record, published, other, left):
    one = cell(record, published, {0: 0.53, 1: 0.55, 2: 0.54})
    changed = cell(record, published, other, contrast_norm__border="reflect", model="abs_lcn_avgpool")
    assert misses.rest(one, changed) == (None if left is None else pytest.approx(left))


def test_nothing_explains_a_cell_that_the_paper_does_not_have(record, published):
    one, other = (cells([record(a, data="digits", readout="lbfgs")], published)[0] for a in (0.9, 0.5))
    assert misses.rest(one, other) is None


@pytest.mark.parametrize(
    ("rests", "judgement"),
    [
        ({}, "open"),
        ({"a": None}, "open"),
        ({"a": 3.0}, "accounted for"),
        ({"a": 9.0, "b": -2.9, "c": None}, "accounted for"),
        ({"a": 3.1, "b": 9.0}, "in part"),
        ({"a": 3.1, "b": -3.1}, "the paper is between"),
        ({"a": -3.1}, "the paper is between"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_what_explanations_make_of_a_miss(rests, judgement, sign):
    turned = {words: None if left is None else sign * left for words, left in rests.items()}
    assert misses.judge(sign * 12.0, turned) == judgement


def test_missed_cells_stand_with_what_was_tried_and_are_counted(record, published):
    missed = cell(record, published, {0: 0.53, 1: 0.55})
    near = cell(record, published, {0: 0.33, 1: 0.34}, readout="sgd")
    other = cell(record, published, {0: 0.20}, model="avgpool")
    rows = [Placed("RR, lbfgs", "R_abs-P_A", missed), Placed("RR, sgd", "R_abs-P_A", near)]
    found = {"table1": [*rows, Placed("RR, lbfgs", "P_A", other)], "other": rows[:1], "ablation": []}
    table = misses.missed(found["table1"], {missed: {"nothing": None, "much": -5.0, "most": -4.0}})
    tried = "most (−4.00); much (−5.00); nothing (not beyond chance)"
    assert f"| RR, lbfgs | R_abs-P_A | 54.00 ± 12.71 | 33.7 | +20.30 | 2 | {tried} | the paper is between |" in table
    assert "| RR, lbfgs | P_A | 20.00 | 8.8 | +11.20 | 1 |  | open |" in table
    assert table.count("\n| RR") == 2
    assert table.endswith(
        "Accounted for, within three points of the paper: 0 of 2 cells with `lbfgs`, 0 of 0 others. "
        "**The paper is between a follow-up experiment and the cell:** "
        "RR, lbfgs R_abs-P_A. **No tested explanation yet:** RR, lbfgs P_A."
    )
    assert misses.missed(found["ablation"], {}) == "None so far."


def test_columns_in_another_order_than_the_papers_are_listed(record, published):
    accuracies = {"abs_avgpool": (0.37, 0.38), "lcn_maxpool": (0.35, 0.34), "lcn_avgpool": (0.20, 0.21)}
    columns = {"abs_avgpool": "R_abs-P_A", "lcn_maxpool": "N-P_M", "lcn_avgpool": "N-P_A"}
    places = [
        Placed("RR, sgd", columns[model], cell(record, published, dict(enumerate(each)), model=model, readout="sgd"))
        for model, each in accuracies.items()
    ]
    (line,) = misses.turned(places).splitlines()[2:]
    assert line == "| RR, sgd | N-P_M | R_abs-P_A | 37.6 | 33.7 | 34.50 ± 6.35 | 37.50 ± 6.35 | −3.00 ± 12.71 |"


def test_columns_that_the_paper_has_within_two_points_have_no_order(record, published):
    pair = [  # R+ in the paper: 14.3 and 16.3
        Placed("R+", model, cells([record(a, data="caltech101", stages=1, model=model)], published)[0])
        for model, a in (("avgpool", 0.16), ("lcn_avgpool", 0.15))
    ]
    assert misses.turned(pair) == "None so far."
