"""Views of test images: which they are, what is averaged, and that every way to test uses them."""

import pytest
import torch

import multistage
from multistage.network.views import Views
from multistage.registry.errors import ConfigError
from multistage.train import protocol
from multistage.train.quiet import quiet

X = torch.arange(2 * 5 * 4, dtype=torch.float32).view(2, 1, 5, 4)


def test_views_are_the_image_its_mirror_and_its_moved_copies():
    views = list(Views(mirror=True, shift=1).of(X))
    assert len(views) == 10
    assert all(view.shape == X.shape for view in views)
    assert torch.equal(views[0], X)
    assert torch.equal(views[1], X.flip(-1))
    right = torch.cat([X[..., 1:2], X[..., :-1]], -1)  # what comes in is the reflection
    assert torch.equal(views[2], right)
    assert torch.equal(views[3], right.flip(-1))
    assert torch.equal(views[8], torch.cat([X[:, :, 1:], X[:, :, -2:-1]], 2))  # upwards
    assert [torch.equal(view, X) for view in Views().of(X)] == [True]


@pytest.mark.parametrize("logistic", [True, False])
def test_probabilities_are_averaged_else_scores(logistic):
    scores = [torch.tensor([[0.0, 2.0], [1.0, -1.0]]), torch.tensor([[3.0, 0.0], [0.0, 0.5]])]
    answers = iter(scores)
    said = Views(mirror=True).scores(lambda x: next(answers), X, logistic)
    if logistic:
        torch.testing.assert_close(said.softmax(1), (scores[0].softmax(1) + scores[1].softmax(1)) / 2)
    else:
        assert torch.equal(said, (scores[0] + scores[1]) / 2)


@pytest.mark.parametrize("learning", [["refine=false", "readout=ridge"], ["trainer.max_epochs=1"]], ids=str)
def test_runs_are_validated_tested_and_loaded_by_views(plan, learning):
    run = plan(*learning, "views.mirror=true", "views.shift=2", "data.validation=2")
    with quiet():
        record = protocol.run(run, "none")
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


def test_predictions_of_a_loaded_model_are_those_of_its_views(plan):
    run = plan("refine=false", "readout=lbfgs", "views.mirror=true")
    with quiet():
        protocol.run(run, "none")
    model = multistage.load(run.folder)
    x = torch.randn(3, *run.settings.image)
    expected = (model(x).softmax(1) + model(x.flip(-1)).softmax(1)) / 2
    torch.testing.assert_close(model.scores(x).probabilities, expected.detach())


def test_a_shift_out_of_sight_is_refused(plan):
    with pytest.raises(ConfigError, match=r"views\.shift=999 moves images of \d+ pixels out of sight; expected less"):
        plan("views.shift=999")
