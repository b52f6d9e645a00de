"""Multinomial logistic regression to convergence, by L-BFGS."""

import torch
import torch.nn.functional as F
from torch import Tensor

from multistage.errors import MultistageError
from multistage.readout.sgd import Report
from multistage.readout.span import Keep, PrincipalAxes, keep_nothing

MEMORY = 10
"""Steps that L-BFGS remembers."""

STAGE = 10
"""Factor by which the gradient falls before axes are stretched anew."""


def fit_lbfgs(
    features: Tensor,
    labels: Tensor,
    classes: int,
    penalty: float = 1e-3,
    max_iter: int = 2000,
    report: Report = lambda iterations, loss: None,
    tolerance: float = 1e-4,
    keep: Keep = keep_nothing,
) -> tuple[Tensor, Tensor]:
    """Minimise mean cross-entropy + penalty / 2 * |weights|^2 on features shifted to mean 0 and divided by one number.

    The one number is the standard deviation of all centred values, so that `penalty` means the same for features of any
    scale while their proportions stay; shift and scale are folded into the returned weights.

    The minimum lies in the span of the samples, so that the search runs in the coordinates of their principal axes (at
    most n of them), each stretched, for each class, by the curvature that the objective has along it. Neither changes
    the minimum; features without contrast normalisation, whose axes differ by orders of magnitude, need both to get
    there. The curvature falls as classes are told apart, so that the search goes in stages. Each begins with gradient
    and curvature in float64 and multiplies in float32 on the way; a stage that gets nowhere so is followed by float64.

    Args:
        features: [n, f].
        labels: [n], from 0.
        classes: Number of classes.
        penalty: Weight of the squared norm; biases are free. 4,096 features separate 3,060 samples, so that without a
            penalty there is no minimum.
        max_iter: Limit of L-BFGS iterations, over all stages.
        report: Called once with the number of iterations and the mean cross-entropy.
        tolerance: Largest entry of the gradient (float64), in stretched coordinates, at which the search has converged.
        keep: Keeps what depends on features alone.

    Returns:
        Weights [classes, f] and biases [classes].

    Raises:
        MultistageError: Not converged within `max_iter`.
    """
    if not features.isfinite().all():
        raise MultistageError("features are not finite numbers; no classifier can learn from them")
    axes = PrincipalAxes.of(features, keep)
    x, n = axes.coordinates, len(features)
    targets = F.one_hot(labels, classes).double()
    even = (1 - 1 / classes) / classes  # curvature of the cross-entropy of classes that are equally likely
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
        step, count = _stage(factors, targets, penalty, weights, scores, gradient, stretch, goal, max_iter - iterations)
        weights, bias, iterations = weights + step[:-1], bias + step[-1], iterations + count
    report(iterations, F.cross_entropy(scores, labels).item())
    weights = axes.in_features(weights).T
    return weights.float(), (bias - weights @ axes.mean).float()


def _stage(
    x: Tensor,
    targets: Tensor,
    penalty: float,
    weights: Tensor,
    scores: Tensor,
    gradient: Tensor,
    stretch: Tensor,
    goal: float,
    max_iter: int,
) -> tuple[Tensor, int]:
    """L-BFGS from one point until the largest entry of the stretched gradient is at most `goal`.

    Args:
        x: Samples [n, r]; products are taken in their type.
        targets: [n, classes], one 1 a row.
        penalty: See `fit_lbfgs`.
        weights: Where it begins, [r, classes].
        scores: There, [n, classes].
        gradient: There, [r + 1, classes]; biases last.
        stretch: Of coordinates, [r + 1, classes].
        goal: See above.
        max_iter: Limit of iterations.

    Returns:
        The way, [r + 1, classes], and how many iterations it took.
    """
    # torch's search has fixed numbers in it: the first step is the gradient over the sum of its entries' sizes, and
    # curvature below 1e-10 is ignored. Here the first is a Newton step, and the second relative to the gradient's size.
    slope = stretch * gradient
    stretch = stretch * slope.abs().sum()
    scale = 1 / slope.square().sum().item()
    goal *= scale * slope.abs().sum().item()
    way = torch.nn.Parameter(torch.zeros_like(stretch))

    @torch.no_grad()
    def objective() -> float:
        step = stretch * way
        log_p = (scores + (x @ step[:-1].to(x.dtype)).double() + step[-1]).log_softmax(1)
        moved = weights + step[:-1]
        error = (log_p.exp() - targets) / len(x)
        of_weights = (x.T @ error.to(x.dtype)).double() + penalty * moved
        way.grad = scale * stretch * torch.cat([of_weights, error.sum(0, keepdim=True)])
        return scale * (penalty / 2 * moved.square().sum() - (log_p * targets).sum() / len(x)).item()

    search = torch.optim.LBFGS(
        [way],
        max_iter=max_iter,
        max_eval=2 * max_iter,
        tolerance_grad=goal,
        tolerance_change=0,
        history_size=MEMORY,
        line_search_fn="strong_wolfe",
    )
    search.step(objective)  # type: ignore[no-untyped-call]
    return stretch * way.detach(), int(search.state[way]["n_iter"])
