"""Calibration: do softmax outputs estimate class probabilities?

Of the images that a network predicts with 80 % confidence, 80 % must be correct.

Bins are those of torchmetrics: `bins` of equal width, [0, 1/bins) and so on, and one for confidences of exactly 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Predictions by confidence, the largest softmax probability.

    Attributes:
        confidence: Mean confidence of each bin, [bins + 1]; NaN for empty bins.
        accuracy: Fraction of correct predictions in each, [bins + 1]; NaN for empty bins.
        count: Number of predictions in each, int64 [bins + 1].
    """

    confidence: Tensor
    accuracy: Tensor
    count: Tensor


def reliability(scores: Tensor, labels: Tensor, bins: int = BINS) -> Reliability:
    """Compute confidence and accuracy in bins of confidence.

    Args:
        scores: Logits [n, classes].
        labels: int64 [n].
        bins: Of equal width.
    """
    confidence, predicted = scores.softmax(1).max(1)
    right = (predicted == labels).double()
    edges = torch.linspace(0, 1, bins + 1, dtype=confidence.dtype)
    index = torch.bucketize(confidence, edges, right=True) - 1
    count = torch.bincount(index, minlength=bins + 1)
    means = [torch.bincount(index, value, minlength=bins + 1) / count for value in (confidence.double(), right)]
    return Reliability(means[0], means[1], count)


def calibration_error(scores: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Compute the expected calibration error, a fraction: the mean distance of a bin's confidence and accuracy.

    Args:
        scores: Logits [n, classes].
        labels: int64 [n].
        bins: Of equal width.
    """
    probabilities = scores.softmax(1)  # torchmetrics would treat scores between 0 and 1 as probabilities
    return float(multiclass_calibration_error(probabilities, labels, scores.shape[1], n_bins=bins))
