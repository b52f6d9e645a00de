"""Every way to test uses the views of a run."""

import pytest
import torch

import multistage
from multistage.registry.errors import ConfigError


@pytest.mark.parametrize("learning", [["refine=false", "readout=ridge"], ["trainer.max_epochs=1"]], ids=str)
def test_runs_are_validated_tested_and_loaded_by_views(plan, do, learning):
    run = plan(*learning, "views.mirror=true", "views.shift=2", "data.validation=2")
    record = do(run)
    dataset = run.settings.data.load()
    split = run.settings.draw.of(dataset)
    model = multistage.load(run.folder)
    for part, indices in {"validation": split.validation, "test": split.test}.items():
        logistic = run.settings.readout.logistic
        with torch.no_grad():
            said = run.settings.views.scores(model, dataset.pixels(indices), logistic).argmax(1)
        expected = float((said == dataset.labels[indices]).double().mean())
        assert record["metrics"][f"{part}_accuracy"] == pytest.approx(expected), part
    assert "shift-2" in str(run.folder)


def test_predictions_of_a_loaded_model_are_those_of_its_views(plan, do):
    run = plan("refine=false", "readout=lbfgs", "views.mirror=true")
    do(run)
    model = multistage.load(run.folder)
    x = torch.randn(3, *run.settings.image)
    expected = (model(x).softmax(1) + model(x.flip(-1)).softmax(1)) / 2
    torch.testing.assert_close(model.scores(x).probabilities, expected.detach())


def test_a_shift_out_of_sight_is_refused(plan):
    with pytest.raises(ConfigError, match=r"views\.shift=999 moves images of \d+ pixels out of sight; expected less"):
        plan("views.shift=999")
