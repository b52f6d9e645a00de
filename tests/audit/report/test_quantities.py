import pytest

from audit.claims.quantities import Epochs, Estimate, estimate
from audit.tables.addresses import Folder
from multistage.records.cells import cells

FIRST, SECOND = (Folder("ablation")("R+R+", model) for model in ("avgpool", "lcn_avgpool"))
LOSS = 0.5


def measured(quantity, first, second):
    """A quantity of two cells with these runs."""
    return estimate(quantity, {FIRST: cells(first)[0], SECOND: cells(second)[0]}, {})


def run(record, model, losses, draw=0):
    history = {"epoch": list(range(1, len(losses) + 1)), "train_loss": losses}
    return record(model=model, draw=draw) | {"history": history}


@pytest.mark.parametrize(
    ("losses", "epochs"),
    [([0.5, 0.1], 1.0), ([4, 1, 0.25], 2.5), ([4, 1, 0.5], 3.0), ([4, 1], 3.0), ([4, 0.0], 1.0717)],
)
def test_epochs_to_a_loss_are_read_off_the_curve(record, losses, epochs):
    pair = [run(record, "avgpool", losses)], [run(record, "lcn_avgpool", [0.1])]
    found = measured(Epochs(LOSS, FIRST, SECOND), *pair)
    assert found.figure.value == pytest.approx(epochs - 1, abs=1e-3)
    assert found.figure.unit == "epochs"
    assert found.side == ("at least" if min(losses) > LOSS else "")


@pytest.mark.parametrize("history", [{}, {"iteration": [1], "train_loss": [0.1]}, {"epoch": [1], "train_loss": [9.0]}])
def test_runs_that_never_got_to_a_loss_or_have_no_epochs_are_no_data(record, history):
    runs = [[record(model=model) | {"history": history}] for model in ("avgpool", "lcn_avgpool")]
    found = measured(Epochs(LOSS, FIRST, SECOND), *runs)
    assert found == Estimate(None, reason="no pair of runs got to a training loss of 0.5")


def test_cells_that_share_no_draw_are_no_data(record):
    runs = [[record(draw=draw, model=model)] for draw, model in enumerate(("avgpool", "lcn_avgpool"))]
    assert measured(FIRST - SECOND, *runs) == Estimate(None, reason="the cells share no draw and seed")


@pytest.mark.parametrize(
    ("first", "second", "side"),
    [
        ((0.1, 0.1), (0.1, 0.1), ""),
        ((4.0, 0.1), (0.1, 0.1), "at least"),
        ((0.1, 0.1), (0.1, 4.0), "at most"),
        ((4.0, 0.1), (0.1, 4.0), "about"),
    ],
)
def test_runs_that_never_get_to_a_loss_make_a_mean_a_bound(record, first, second, side):
    runs = [
        [run(record, model, [5.0, loss], draw) for draw, loss in enumerate(losses)]
        for model, losses in (("avgpool", first), ("lcn_avgpool", second))
    ]
    assert measured(Epochs(LOSS, FIRST, SECOND), *runs).side == side


def test_differences_of_differences_are_taken_draw_by_draw_where_all_cells_have_runs(record):
    first = [record(0.5 + 0.1 * draw, draw, model="avgpool") for draw in range(3)]
    second = [record(0.4, draw, model="lcn_avgpool") for draw in range(2)]
    found = measured((FIRST - SECOND) - (SECOND - FIRST), first, second).figure
    assert (found.value, found.unit, found.n) == (pytest.approx(30), "points", 2)
    assert measured(FIRST, first, second).figure.unit == "%"
