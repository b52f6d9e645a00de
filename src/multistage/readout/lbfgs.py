"""Multinomial logistic regression, to convergence, by L-BFGS."""

import math
from collections import deque
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from multistage.readout import Task
from multistage.readout.span import PrincipalAxes
from multistage.registry.errors import MultistageError

MEMORY = 10
"""Steps in the history of L-BFGS."""

STAGE = 10
"""Factor by which the gradient falls before the coordinates are rescaled."""

PATIENCE = 100
"""Steps without a smaller gradient after which a stage ends, because rounding prevents progress."""

TRIALS = 50
"""Maximum number of trial step sizes."""


def fit_lbfgs(
    task: Task, penalty: float = 1e-3, max_iter: int = 2000, tolerance: float = 1e-4
) -> tuple[Tensor, Tensor]:
    """Minimise mean cross-entropy + penalty / 2 * |weights|^2 on features with mean 0 and one common scale.

    The scale is the standard deviation of all centred values, so `penalty` means the same for features of any scale,
    and their proportions stay. Shift and scale are folded into the returned weights.

    The minimum is in the span of the samples. So the search uses the coordinates of their principal axes (at most n),
    rescaled for each class by the curvature of the objective. Neither changes the minimum, but features without
    contrast normalisation, whose axes differ by orders of magnitude, do not converge otherwise. The curvature falls as
    classes separate, so the search has stages. Each starts with gradient and curvature in float64 and then multiplies
    in float32; a stage without progress is followed by one in float64.

    Args:
        task: Features, labels and classes; its report gets the number of iterations and the mean cross-entropy once.
        penalty: Weight of the squared norm; biases are not penalised. 4,096 features separate 3,060 samples, so without
            a penalty there is no minimum.
        max_iter: Maximum number of L-BFGS iterations, over all stages.
        tolerance: Largest gradient entry (float64), in rescaled coordinates, at convergence.

    Returns:
        Weights [classes, f] and biases [classes].

    Raises:
        MultistageError: Not converged within `max_iter`.
    """
    axes = PrincipalAxes.of(task.features, task.keep)
    x, n, classes = axes.coordinates, len(task.features), task.classes
    targets = F.one_hot(task.labels, classes).double()
    even = (1 - 1 / classes) / classes  # curvature of the cross-entropy for equally likely classes
    weights, bias = x.new_zeros(x.shape[1], classes), x.new_zeros(classes)
    factors, before, iterations = x.float(), float("inf"), 0
    while True:
        scores = x @ weights + bias
        p = scores.softmax(1)
        error = (p - targets) / n
        gradient = torch.cat([x.T @ error + penalty * weights, error.sum(0, keepdim=True)])
        curvature = (p * (1 - p)).mean(0).clamp(even / 1000, even)
        stretch = torch.cat([torch.outer(axes.variances, curvature) + penalty, curvature[None]]).rsqrt()
        largest = (stretch * gradient).abs().max().item()
        if largest <= tolerance:
            break
        if iterations >= max_iter or not largest < float("inf"):
            raise MultistageError(
                f"lbfgs did not converge in {iterations} of at most lbfgs.max_iter={max_iter} iterations (the largest "
                f"entry of the gradient is {largest:.1e}, expected {tolerance:g}); try a larger lbfgs.penalty"
            )
        if largest > before / 2:
            factors = x
        before = largest
        goal = max(largest / STAGE, tolerance * 0.9)
        start = _Start(weights, scores, gradient, stretch)
        step, count = _stage(factors, targets, penalty, start, goal, max_iter - iterations)
        weights, bias, iterations = weights + step[:-1], bias + step[-1], iterations + count
    task.report(iterations, F.cross_entropy(scores, task.labels).item())
    weights = axes.in_features(weights).T
    return weights.float(), (bias - weights @ axes.mean).float()


class _Start(NamedTuple):
    """The starting point of a stage.

    Attributes:
        weights: [r, classes].
        scores: [n, classes].
        gradient: [r + 1, classes]; biases last.
        stretch: Scale of the coordinates, [r + 1, classes].
    """

    weights: Tensor
    scores: Tensor
    gradient: Tensor
    stretch: Tensor


def _stage(x: Tensor, targets: Tensor, penalty: float, start: _Start, goal: float, max_iter: int) -> tuple[Tensor, int]:
    """Run L-BFGS from one point until the largest entry of the rescaled gradient is at most `goal`.

    The change of scores along a step is known before its size is chosen, so trial sizes need no matrix products. (This,
    and the seconds that importing torch.optim takes, are why L-BFGS is implemented here.)

    Args:
        x: Samples [n, r]; their type is that of the products.
        targets: One-hot, [n, classes].
        penalty: See `fit_lbfgs`.
        start: The starting point.
        goal: See above.
        max_iter: Maximum number of iterations.

    Returns:
        The total step, [r + 1, classes], and the number of iterations.
    """
    weights, scores, gradient, stretch = start
    way, slope = torch.zeros_like(stretch), stretch * gradient
    past: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=MEMORY)
    iterations, lowest, since = 0, math.inf, 0
    while iterations < max_iter and since < PATIENCE and (largest := slope.abs().max().item()) > goal:
        iterations, lowest, since = iterations + 1, min(largest, lowest), 0 if largest < lowest else since + 1
        direction = _direction(slope, past)
        move = stretch * direction
        along = (x @ move[:-1].to(x.dtype)).double() + move[-1]
        moved = weights + way[:-1]
        linear, square = _dot(moved, move[:-1]), _dot(move[:-1], move[:-1])
        length = _length(scores, along, targets, penalty * linear, penalty * square)
        way += length * move
        scores = scores + length * along
        error = (scores.softmax(1) - targets) / len(x)
        of_weights = (x.T @ error.to(x.dtype)).double() + penalty * (weights + way[:-1])
        before, slope = slope, stretch * torch.cat([of_weights, error.sum(0, keepdim=True)])
        step, change = length * direction, slope - before
        if (curvature := _dot(step, change)) > 1e-10 * _dot(step, step):
            past.append((step, change, curvature))
    return way, iterations


def _direction(slope: Tensor, past: deque[tuple[Tensor, Tensor, float]]) -> Tensor:
    """Return minus the slope times the inverse curvature from `past`: (step, change of slope, their product)."""
    direction, shares = -slope, []
    for step, change, curvature in reversed(past):
        shares.append(_dot(step, direction) / curvature)
        direction.sub_(change, alpha=shares[-1])
    if past:
        _, change, curvature = past[-1]
        direction *= curvature / _dot(change, change)
    for step, change, curvature in past:
        direction.add_(step, alpha=shares.pop() - _dot(change, direction) / curvature)
    return direction


def _length(scores: Tensor, along: Tensor, targets: Tensor, linear: float, square: float) -> float:
    """Return a step size at which the slope of the convex objective is at most a third of the initial one.

    Args:
        scores: Scores at step size 0, [n, classes].
        along: Their change for step size 1.
        targets: One-hot, [n, classes].
        linear: Slope of the penalty at step size 0.
        square: Its curvature.
    """

    def slope(length: float) -> float:
        error = (scores + length * along).softmax(1) - targets
        return _dot(error, along) / len(scores) + linear + length * square

    here = slope(0)
    low, high, length = (0.0, here), (math.inf, math.inf), 1.0
    for _ in range(TRIALS):
        there = slope(length)
        if abs(there) <= abs(here) / 3:
            break
        low, high = (low, (length, there)) if there > 0 else ((length, there), high)
        if high[0] == math.inf:
            length *= 3
        else:
            root = low[1] / (low[1] - high[1]) if low[1] < high[1] else 0.5
            length = low[0] + min(max(root, 0.1), 0.9) * (high[0] - low[0])
    return length


def _dot(a: Tensor, b: Tensor) -> float:
    return torch.dot(a.flatten(), b.flatten()).item()
