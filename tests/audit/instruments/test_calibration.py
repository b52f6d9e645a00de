import math

import pytest
import torch

from audit.instruments.calibration import BINS, calibration_error, reliability


def scores(confidences, classes=2):
    """Logits whose softmax gives class 0 a confidence, and the others equal shares of the rest."""
    logits = torch.zeros(len(confidences), classes)
    logits[:, 0] = torch.tensor([math.log(c / (1 - c) * (classes - 1)) for c in confidences])
    return logits


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        pytest.param([(0.8, 8)], 0, id="calibrated: sure to 0.8, and right 8 times of 10"),
        pytest.param([(0.9, 6)], 0.3, id="overconfident: the error is what it is too sure of"),
        pytest.param([(0.9, 7), (0.6, 8)], 0.2, id="errors of bins do not cancel but those of confidence do"),
    ],
)
def test_errors_of_groups_of_ten_that_are_so_sure_and_so_often_right(groups, error):
    logits = scores([confidence for confidence, _ in groups for _ in range(10)])
    labels = torch.tensor([label for _, right in groups for label in [0] * right + [1] * (10 - right)])
    assert calibration_error(logits, labels) == pytest.approx(error, abs=1e-6)


def test_the_curve_is_the_mean_of_every_bin():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(500, 4, generator=generator)
    labels = torch.randint(4, (500,), generator=generator)
    curve = reliability(logits, labels, 5)
    confidence, predicted = logits.softmax(1).max(1)
    for number in range(5):
        inside = (confidence >= number / 5) & (confidence < (number + 1) / 5)
        assert curve.count[number] == inside.sum()
        if inside.any():
            assert curve.confidence[number] == pytest.approx(confidence[inside].mean().item(), abs=1e-6)
            right = (predicted == labels)[inside].double().mean().item()
            assert curve.accuracy[number] == pytest.approx(right, abs=1e-9)


@pytest.mark.parametrize("bins", [1, 10, BINS])
def test_the_curve_and_torchmetrics_have_the_same_bins(bins):
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(400, 10, generator=generator)
    labels = torch.where(torch.rand(400, generator=generator) < 0.5, logits.argmax(1), 0)
    curve = reliability(logits, labels, bins)
    full = curve.count > 0
    gaps = (curve.confidence - curve.accuracy).abs()[full]
    expected = float((gaps * curve.count[full]).sum() / 400)
    assert calibration_error(logits, labels, bins) == pytest.approx(expected, abs=1e-6)


def test_predictions_that_round_to_certainty_have_a_bin_of_their_own():
    curve = reliability(torch.tensor([[200.0, 0.0], [200.0, 0.0]]), torch.tensor([0, 1]), 10)
    assert curve.count.tolist() == [0] * 10 + [2]
    assert curve.accuracy[-1] == 0.5
    assert torch.isnan(curve.accuracy[:-1]).all()


def test_scores_between_0_and_1_are_still_scores():
    logits = torch.tensor([[0.9, 0.1]] * 4)
    labels = torch.tensor([0, 0, 1, 1])
    expected = 1 / (1 + math.exp(-0.8)) - 0.5
    assert calibration_error(logits, labels) == pytest.approx(expected, abs=1e-6)
