"""The classifier of the authors' demo: multinomial logistic regression by online gradient descent."""

import numpy as np
import torch
from torch import Tensor

from multistage.network.randomness import generator
from multistage.readout import Task
from multistage.readout.span import gram, times, transposed_times
from multistage.registry.errors import MultistageError

BLOCK = 128
"""Samples whose scores are computed at once."""


def fit_sgd(
    task: Task, rate: float = 0.01, start: float = 0.015, epochs: int = 30, decay: float = 0.03
) -> tuple[Tensor, Tensor]:
    """One sample at a time, in an order drawn once, with rate / (1 + decay * epoch), no penalty, no standardisation.

    Every step adds a multiple of one sample to the weights. So the scores of the next samples are known up to what the
    steps in between add, which their inner products tell: scores are computed for a block of samples at once, and
    corrected one by one. Where there are fewer samples than features, weights are never formed: they are W0 + A X, and
    A [n, classes] is what is learned. The same steps with the same numbers but for rounding, and far less to move.

    Args:
        task: Features X, labels and classes; its seed decides initial weights and order. Told after each epoch its
            number and mean loss (each sample's before its step).
        rate: Of the first epoch.
        start: Initial weights are uniform in +-`start`; biases are 0.
        epochs: Passes over the samples.
        decay: Of the rate, per epoch.

    Returns:
        Weights [classes, f] and biases [classes].

    Raises:
        MultistageError: The weights grew without bounds.

    Source: the authors' demo for random filters ("randomc101"); see `DEVIATIONS.md`.
    """
    features, classes = task.features, task.classes
    n, f = features.shape
    weights = torch.empty(classes, f, dtype=torch.float64)
    weights.uniform_(-start, start, generator=generator(task.seed, "classifier"))
    order = torch.randperm(n, generator=generator(task.seed, "order"))
    learned, bias = weights.numpy(), np.zeros(classes)
    in_span = n < f
    if in_span:
        products = task.keep("gram", lambda: gram(features))
        offset = products["offset"][order]
        inner = (products["centred"][order][:, order] + offset[:, None] + offset).numpy()
        first_scores, mixture = times(features, weights.T)[order].numpy(), np.zeros((n, classes))
    else:
        x = features[order].double().numpy()
    targets = task.labels[order].tolist()
    for epoch in range(epochs):
        step, loss = rate / (1 + decay * epoch), 0.0
        for first in range(0, n, BLOCK):
            block = slice(first, first + BLOCK)
            if in_span:
                scores, near = first_scores[block] + inner[block] @ mixture, inner[block, block]
            else:
                scores, near = x[block] @ learned.T, x[block] @ x[block].T
            changes, likelihoods = _steps(scores + bias, near + 1, targets[block], step)
            bias += changes.sum(0)
            if in_span:
                mixture[block] += changes
            else:
                learned += changes.T @ x[block]
            loss -= np.log(np.maximum(likelihoods, 1e-300)).sum()
        if not np.isfinite(loss):
            raise MultistageError(
                f"sgd diverged in epoch {epoch + 1}; these features are too large for sgd.rate={rate:g}"
            )
        task.report(epoch + 1, float(loss) / n)
    if in_span:
        mixture[order.numpy()] = mixture.copy()
        weights += transposed_times(features, torch.from_numpy(mixture)).T
    return weights.float(), torch.from_numpy(bias).float()


def _steps(scores: np.ndarray, inner: np.ndarray, labels: list[int], rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The steps of a block of samples, each with what the steps before it changed.

    Args:
        scores: Before the first of them, [block, classes].
        inner: Inner products of the samples plus 1, which is the bias's part, [block, block].
        labels: Of the samples.
        rate: Length of a step.

    Returns:
        What multiple of each sample is added to the weights of each class, [block, classes], and how likely each
        sample's class was before its step, [block].
    """
    changes, likelihoods = np.zeros_like(scores), np.empty(len(scores))
    for i, label in enumerate(labels):
        error = scores[i] + inner[i, :i] @ changes[:i]
        error -= np.maximum.reduce(error)
        np.exp(error, out=error)
        error /= np.add.reduce(error)
        likelihoods[i] = error[label]
        error[label] -= 1
        np.multiply(error, -rate, out=changes[i])
    return changes, likelihoods
