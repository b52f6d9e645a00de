"""The classifier of the authors' demo: multinomial logistic regression by online gradient descent."""

import numpy as np
import torch
from torch import Tensor

from multistage.network.randomness import generator
from multistage.readout import Task
from multistage.readout.span import gram, times, transposed_times
from multistage.registry.errors import MultistageError

BLOCK = 128
"""Samples in each block of scores."""


def fit_sgd(
    task: Task, rate: float = 0.01, start: float = 0.015, epochs: int = 30, decay: float = 0.03
) -> tuple[Tensor, Tensor]:
    """Run online SGD in an order drawn once, with rate / (1 + decay * epoch), no penalty and no standardisation.

    Every step adds a multiple of one sample to the weights. So scores are computed for a block of samples at once, and
    then corrected for each step by inner products of samples. With fewer samples than features, weights are never
    formed: they are W0 + A X, and A [n, classes] is learned. The steps are the same up to rounding, with much less
    memory traffic.

    Args:
        task: Features X, labels and classes; its seed decides initial weights and order. Its report gets the number and
            mean loss of each epoch (the loss of each sample before its step).
        rate: Learning rate of the first epoch.
        start: Initial weights are uniform in +-`start`; biases are 0.
        epochs: Passes over the samples.
        decay: Decay of the rate, per epoch.

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
    """Do the steps of a block of samples, each after the changes of the steps before it.

    Args:
        scores: Scores before the block, [block, classes].
        inner: Inner products of the samples plus 1 for the bias, [block, block].
        labels: Labels of the samples.
        rate: Learning rate.

    Returns:
        The multiple of each sample that is added to the weights of each class, [block, classes], and the probability of
        each sample's class before its step, [block].
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
