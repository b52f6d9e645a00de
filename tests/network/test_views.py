"""Views of test images: which they are, and what is averaged."""

import pytest
import torch

from multistage.network.views import Views

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
