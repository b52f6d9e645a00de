"""Multinomial logistic regression to convergence, by scikit-learn."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import Tensor

from multistage.errors import MultistageError

Report = Callable[[int, float], None]


def fit_lbfgs(
    features: Tensor,
    labels: Tensor,
    classes: int,
    penalty: float = 1e-4,
    max_iter: int = 2000,
    report: Report = lambda iterations, loss: None,
) -> tuple[Tensor, Tensor]:
    """Minimise mean cross-entropy + penalty / 2 * |weights|^2 on features shifted to mean 0 and divided by one number.

    The one number is the standard deviation of all centred values, so that `penalty` means the same for features of any
    scale while their proportions stay; shift and scale are folded into the returned weights.

    Args:
        features: [n, f].
        labels: [n], from 0; every class must occur.
        classes: Number of classes.
        penalty: Weight of the squared norm; biases are free. 4,096 features separate 3,060 samples, so that without a
            penalty there is no minimum.
        max_iter: Limit of L-BFGS iterations.
        report: Called once with the number of iterations and the mean loss.

    Returns:
        Weights [classes, f] and biases [classes].

    Raises:
        MultistageError: Not converged within `max_iter`.
    """
    x = features.numpy()
    mean = x.mean(0, dtype=np.float64).astype(x.dtype)
    x = x - mean
    scale = float(np.sqrt(np.square(x).mean(dtype=np.float64))) or 1.0
    x /= scale
    model = LogisticRegression(C=1 / (penalty * len(x)), max_iter=max_iter, tol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model.fit(x, labels.numpy())
        except ConvergenceWarning:
            raise MultistageError(f"lbfgs did not converge in lbfgs.max_iter={max_iter} iterations; raise it") from None
    report(int(model.n_iter_.max()), float(log_loss(labels.numpy(), model.predict_proba(x), labels=range(classes))))
    weights, bias = model.coef_, model.intercept_
    if classes == 2:  # scikit-learn keeps the difference of the two rows only
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    weights = weights.astype(np.float64) / scale
    return torch.from_numpy(weights).float(), torch.from_numpy(bias - weights @ mean).float()
