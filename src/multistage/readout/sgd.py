"""The classifier of the authors' demo: multinomial logistic regression by online gradient descent."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from multistage.errors import MultistageError
from multistage.randomness import generator

Report = Callable[[int, float], None]
"""Called with (how many epochs or iterations were done, mean cross-entropy on the training images)."""


def fit_sgd(
    features: Tensor,
    labels: Tensor,
    classes: int,
    seed: int = 0,
    epochs: int = 30,
    rate: float = 0.01,
    decay: float = 0.03,
    report: Report = lambda epoch, loss: None,
) -> tuple[Tensor, Tensor]:
    """One sample at a time, in an order drawn once, with rate / (1 + decay * epoch), no penalty, no standardisation.

    Every step adds a multiple of one sample to the weights, so that they are always W0 + A X. Where there are fewer
    samples than features, A [classes, n] is what is learned, with scores taken from the Gram matrix X X^T: the same
    steps with the same numbers but for rounding, and far less to move.

    Args:
        features: X, [n, f].
        labels: [n], from 0.
        classes: Number of classes.
        seed: Initial weights (uniform +-0.015, biases 0) and order.
        epochs: Passes over the samples.
        rate: Of the first epoch.
        decay: Of the rate, per epoch.
        report: Called after each epoch with its number and mean loss (each sample's before its step).

    Returns:
        Weights [classes, f] and biases [classes].

    Raises:
        MultistageError: The weights grew without bounds.

    Source: the authors' demo for random filters ("randomc101"); see `DEVIATIONS.md`.
    """
    x = features.double().numpy()
    initial = torch.empty(classes, x.shape[1], dtype=torch.float64)
    initial.uniform_(-0.015, 0.015, generator=generator(seed, "classifier"))
    weights, bias = initial.numpy(), np.zeros(classes)
    order = torch.randperm(len(x), generator=generator(seed, "order")).tolist()
    targets = np.eye(classes)[labels.numpy()]

    in_span = len(x) < x.shape[1]
    if in_span:
        gram, start, mixture = x @ x.T, x @ weights.T, np.zeros((classes, len(x)))
    for epoch in range(epochs):
        step, loss = rate / (1 + decay * epoch), 0.0
        for i in order:
            scores = (start[i] + mixture @ gram[i] if in_span else weights @ x[i]) + bias
            error = np.exp(scores - scores.max())
            error /= error.sum()
            loss -= np.log(np.maximum(error @ targets[i], 1e-300))
            error -= targets[i]
            bias -= step * error
            if in_span:
                mixture[:, i] -= step * error
            else:
                weights -= np.outer(step * error, x[i])
        if not np.isfinite(loss):
            raise MultistageError(
                f"sgd diverged in epoch {epoch + 1}; these features are too large for its rate of {rate}"
            )
        report(epoch + 1, loss / len(x))
    if in_span:
        weights = weights + mixture @ x
    return torch.from_numpy(weights).float(), torch.from_numpy(bias).float()
