import pytest

from audit.claims import claims, quantities
from multistage.records.cells import cells

FIRST, SECOND = ("ablation", "refined", "avgpool"), ("ablation", "refined", "lcn_avgpool")
LOSS = 0.5


def estimate(first, second, to_loss=None):
    """The first run less the second."""
    found = {FIRST: cells([first])[0], SECOND: cells([second])[0]}
    test = claims.Test("x", claims.Effect(FIRST, SECOND), None, to_loss, (), "above", 0, 0, None)
    return quantities.estimate(test, found)


@pytest.mark.parametrize(
    ("losses", "epochs"),
    [([0.5, 0.1], 1.0), ([4, 1, 0.25], 2.5), ([4, 1, 0.5], 3.0), ([4, 1], 3.0), ([4, 0.0], 1.0717)],
)
def test_epochs_to_a_loss_are_read_off_the_curve(record, losses, epochs):
    def run(model, losses):
        history = {"epoch": list(range(1, len(losses) + 1)), "train_loss": losses}
        return record(model=model) | {"history": history}

    found = estimate(run("avgpool", losses), run("lcn_avgpool", [0.1]), LOSS)
    assert found.figure.value == pytest.approx(epochs - 1, abs=1e-3)
    assert found.figure.unit == "epochs"
    assert found.side == ("at least" if min(losses) > LOSS else "")


@pytest.mark.parametrize("history", [{}, {"iteration": [1], "train_loss": [0.1]}, {"epoch": [1], "train_loss": [9.0]}])
def test_runs_that_never_got_to_a_loss_or_have_no_epochs_are_no_data(record, history):
    runs = [record(model=model) | {"history": history} for model in ("avgpool", "lcn_avgpool")]
    assert estimate(*runs, LOSS) == quantities.Estimate(None, reason="no pair of runs got to a training loss of 0.5")


def test_cells_that_share_no_draw_are_no_data(record):
    runs = [record(draw=draw, model=model) for draw, model in enumerate(("avgpool", "lcn_avgpool"))]
    assert estimate(*runs) == quantities.Estimate(None, reason="the cells share no draw and seed")


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
    def cell(model, losses):
        runs = [record(draw=draw, model=model) for draw in range(2)]
        histories = [{"history": {"epoch": [1, 2], "train_loss": [5.0, loss]}} for loss in losses]
        return cells([run | history for run, history in zip(runs, histories, strict=True)])[0]

    found = {FIRST: cell("avgpool", first), SECOND: cell("lcn_avgpool", second)}
    test = claims.Test("x", claims.Effect(FIRST, SECOND), None, LOSS, (), "above", 0, 0, None)
    assert quantities.estimate(test, found).side == side
