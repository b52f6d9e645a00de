"""Multinomial logistic regression to convergence, by L-BFGS."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from torch import Tensor

from multistage.errors import MultistageError
from multistage.readout.sgd import Report


def fit_lbfgs(
    features: Tensor,
    labels: Tensor,
    classes: int,
    penalty: float = 1e-3,
    max_iter: int = 2000,
    report: Report = lambda iterations, loss: None,
    tolerance: float = 1e-4,
) -> tuple[Tensor, Tensor]:
    """Minimise mean cross-entropy + penalty / 2 * |weights|^2 on features shifted to mean 0 and divided by one number.

    The one number is the standard deviation of all centred values, so that `penalty` means the same for features of any
    scale while their proportions stay; shift and scale are folded into the returned weights.

    The minimum lies in the span of the samples, so that the search runs in the coordinates of their principal axes (at
    most n of them), each stretched by the curvature that the objective has along it at the start. Neither changes the
    minimum; features without contrast normalisation, whose axes differ by orders of magnitude, need both to get there.

    Args:
        features: [n, f].
        labels: [n], from 0.
        classes: Number of classes.
        penalty: Weight of the squared norm; biases are free. 4,096 features separate 3,060 samples, so that without a
            penalty there is no minimum.
        max_iter: Limit of L-BFGS iterations.
        report: Called once with the number of iterations and the mean cross-entropy.
        tolerance: Largest entry of the gradient, in the stretched coordinates, at which the search has converged.

    Returns:
        Weights [classes, f] and biases [classes].

    Raises:
        MultistageError: Not converged within `max_iter`.
    """
    if not features.isfinite().all():
        raise MultistageError("features are not finite numbers; no classifier can learn from them")
    x = features.double()
    mean = x.mean(0)
    x = x - mean
    scale = x.square().mean().sqrt()
    x /= torch.where(scale > 0, scale, 1)
    axes, variances = _principal_axes(x)
    start_curvature = (1 - 1 / classes) / classes * variances + penalty
    stretched = axes / start_curvature.sqrt()
    inputs = x @ stretched
    penalties = penalty / start_curvature

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = torch.from_numpy(flat).view(len(penalties) + 1, classes)
        weights, bias = parameters[:-1], parameters[-1]
        log_p = F.log_softmax(inputs @ weights + bias, 1)
        loss = F.nll_loss(log_p, labels) + (penalties @ weights.square()).sum() / 2
        error = (log_p.exp() - F.one_hot(labels, classes)) / len(labels)
        gradient = torch.cat([inputs.T @ error + penalties[:, None] * weights, error.sum(0, keepdim=True)])
        return loss.item(), gradient.flatten().numpy()

    start = np.zeros((len(penalties) + 1) * classes)
    options = {"maxiter": max_iter, "maxfun": 2 * max_iter, "maxcor": 20, "gtol": tolerance, "ftol": 0}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    if not np.abs(found.jac).max() <= tolerance:
        raise MultistageError(
            f"lbfgs did not converge in {found.nit} of at most lbfgs.max_iter={max_iter} iterations ({found.message})"
        )
    parameters = torch.from_numpy(found.x).view(len(penalties) + 1, classes)
    report(int(found.nit), F.cross_entropy(inputs @ parameters[:-1] + parameters[-1], labels).item())
    weights = (stretched @ parameters[:-1]).T / torch.where(scale > 0, scale, 1)
    return weights.float(), (parameters[-1] - weights @ mean).float()


def _principal_axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal axes [f, r] that span the rows of x [n, f], and the mean square along each [r]; r <= min(n, f)."""
    n, f = x.shape
    values, vectors = torch.linalg.eigh(x @ x.T if n < f else x.T @ x)
    kept = values > values.max() * 1e-12
    values, vectors = values[kept], vectors[:, kept]
    axes = x.T @ vectors / values.sqrt() if n < f else vectors
    return axes, values / n
