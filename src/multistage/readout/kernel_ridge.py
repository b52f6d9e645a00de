"""Kernel ridge regression with a Gaussian kernel (Saunders, Gammerman & Vovk, ICML 1998).

    scores(x) = b + sum_i a_i exp(-|x - x_i|^2 / (2 w^2))          w = width x the median distance of training samples

a minimises the mean squared distance to one-hot targets plus `penalty` times the squared norm in the kernel's space.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistage.readout import Task
from multistage.registry.errors import MultistageError

MOST = 20_000
"""Maximum number of training samples; their kernel takes n^2 numbers of 8 bytes."""

BLOCK = 1024
"""Samples in each block of distances."""


class KernelRidge(nn.Module):
    """Module from features to scores, by distances from the training samples.

    Args:
        samples: Training samples, [n, f].
        coefficients: a, [n, classes].
        intercepts: b, [classes].
        deviation: w, one number.
    """

    samples: Tensor
    coefficients: Tensor
    intercepts: Tensor
    deviation: Tensor
    centre: Tensor
    centred: Tensor

    def __init__(self, samples: Tensor, coefficients: Tensor, intercepts: Tensor, deviation: Tensor) -> None:
        super().__init__()
        parts = {"samples": samples, "coefficients": coefficients, "intercepts": intercepts, "deviation": deviation}
        for name, value in parts.items():
            self.register_parameter(name, nn.Parameter(value, requires_grad=False))
        _centre(self)
        self.register_load_state_dict_post_hook(_centre)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """Compute scores [m, classes] of features [m, f]."""
        blocks = [self._kernel(block) @ self.coefficients for block in torch.split(x, BLOCK)]
        return torch.cat(blocks) + self.intercepts

    def _kernel(self, x: Tensor) -> Tensor:
        return gaussian(_distances((x - self.centre).double(), self.centred.double()), self.deviation)


def _centre(module: KernelRidge, _: object = None) -> None:
    """Centre the samples once, not for each batch; again after others were loaded."""
    samples = module.samples.detach()
    module.register_buffer("centre", samples.mean(0), persistent=False)
    module.register_buffer("centred", (samples - module.centre).double(), persistent=False)


def squared_distances(x: Tensor, z: Tensor) -> Tensor:
    """Compute |x_i - z_j|^2 of samples [m, f] and [n, f], float64 [m, n]; relative to the mean of z, to keep digits."""
    centre = z.mean(0)
    return _distances((x - centre).double(), (z - centre).double())


def _distances(x: Tensor, z: Tensor) -> Tensor:
    squares = x.square().sum(1)[:, None] + z.square().sum(1) - 2 * x @ z.T
    return squares.clamp_min_(0)


def gaussian(squares: Tensor, deviation: Tensor) -> Tensor:
    """Compute exp(-squares / (2 deviation^2)), in the deviation's type."""
    return torch.exp(-squares / (2 * deviation.double().square())).to(deviation.dtype)


def fit_kernel_ridge(task: Task, width: float, choose: Callable[[Callable[[float], Tensor]], float]) -> KernelRidge:
    """Solve for the coefficients; one decomposition serves all penalties.

    Args:
        task: The training data; its report gets the mean squared distance to the targets.
        width: Width of the Gaussian, in median distances.
        choose: Returns the penalty, given a function from penalties to scores of the held-out samples.

    Raises:
        MultistageError: More than `MOST` samples.
    """
    features = task.features
    n = len(features)
    if n > MOST:
        raise MultistageError(
            f"readout=kernel needs the distances between all {n:,} training images; expected at most "
            f"{MOST:,}: choose a smaller data.train_per_class, or readout=ridge"
        )
    squares = squared_distances(features, features)
    apart = squares[torch.ones(n, n, dtype=torch.bool).triu(1)]
    median = apart.median().sqrt() if len(apart) else torch.ones((), dtype=torch.float64)
    deviation = width * torch.where(median > 0, median, 1)
    targets = F.one_hot(task.labels, task.classes).double()
    mean = targets.mean(0)
    values, vectors = torch.linalg.eigh(gaussian(squares, deviation))
    moments = vectors.T @ (targets - mean)

    def solve(penalty: float) -> Tensor:
        return vectors @ (moments / (values.clamp_min(0) + n * penalty)[:, None])

    held_out = task.held_out
    others = None if held_out is None else gaussian(squared_distances(held_out[0], features), deviation)

    def scores(penalty: float) -> Tensor:
        assert others is not None
        return others @ solve(penalty) + mean

    fitted = KernelRidge(features.clone(), solve(choose(scores)).float(), mean.float(), deviation.float())
    task.report(1, F.mse_loss(fitted(features), targets.float()).item())
    return fitted
