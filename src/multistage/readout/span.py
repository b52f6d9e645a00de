"""Linear algebra in the span of n samples with f features, for `lbfgs`, `ridge` and other readouts.

With fewer samples than features it uses the n x n inner products of samples, otherwise their f x f moments.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multistage.readout import Keep, keep_nothing

COLUMNS, ROWS = 4096, 1024
"""Features and samples at a time; bounds the working memory to about 100 MB."""

NEGLIGIBLE = 1e-12
"""Axes with less variation than this, relative to the first, are dropped as rounding error."""


def gram(x: Tensor) -> dict[str, Tensor]:
    """Compute inner products of samples with each other and with their mean.

    Args:
        x: Samples [n, f].

    Returns:
        ``centred``: (x_i - m) . (x_j - m), float64 [n, n]. ``offset``: (x_i - m) . m + m . m / 2, float64 [n]; so
        x_i . x_j = centred_ij + offset_i + offset_j.
    """
    centred = x.new_zeros(len(x), len(x), dtype=torch.float64)
    offset = centred.new_zeros(len(x))
    for columns in torch.split(x, COLUMNS, 1):
        mean = columns.mean(0, dtype=torch.float64)
        part = columns - mean
        for i in range(0, len(x), ROWS):  # on and above the diagonal
            centred[i : i + ROWS, i:].addmm_(part[i : i + ROWS], part[i:].T)
        offset += part @ mean + mean.square().sum() / 2
    return {"centred": centred.triu_().add_(centred.triu(1).T), "offset": offset}


def times(x: Tensor, matrix: Tensor) -> Tensor:
    """Compute x [n, f] @ matrix [f, k] in float64."""
    result = x.new_zeros(len(x), matrix.shape[1], dtype=torch.float64)
    for columns, rows in zip(torch.split(x, COLUMNS, 1), torch.split(matrix, COLUMNS), strict=True):
        result.addmm_(columns.double(), rows)
    return result


def transposed_times(x: Tensor, matrix: Tensor) -> Tensor:
    """Compute x.T @ matrix in float64, for x [n, f] and matrix [n, k]."""
    return torch.cat([columns.double().T @ matrix for columns in torch.split(x, COLUMNS, 1)])


def memory(samples: int, features: int) -> int:
    """Estimate the bytes of `PrincipalAxes` besides the samples: products, vectors and their workspace, coordinates."""
    smaller = min(samples, features)
    return 8 * (3 * smaller**2 + 2 * samples * smaller)


@dataclass(frozen=True)
class PrincipalAxes:
    """Samples with mean 0 and one common scale, in the r <= min(n, f) coordinates of their principal axes.

    Attributes:
        samples: The original samples, [n, f].
        mean: [f].
        scale: Standard deviation of all centred values.
        coordinates: [n, r].
        variances: Mean square of each coordinate, [r].
        vectors: The axes [f, r]; or, with fewer samples than features, each coordinate scaled to norm 1, [n, r].
    """

    samples: Tensor
    mean: Tensor
    scale: float
    coordinates: Tensor
    variances: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, x: Tensor, keep: Keep = keep_nothing) -> "PrincipalAxes":
        """Compute the axes of samples [n, f]; caches ``gram`` (with fewer samples than features) and ``axes``."""
        n, f = x.shape
        mean = torch.cat([columns.mean(0, dtype=torch.float64) for columns in torch.split(x, COLUMNS, 1)])

        def decompose() -> dict[str, Tensor]:
            products = keep("gram", lambda: gram(x))["centred"] if n < f else _moments(x, mean)
            values, vectors = torch.linalg.eigh(products)
            kept = values > values.max() * NEGLIGIBLE
            return {"squares": values[kept], "trace": products.trace(), "vectors": vectors[:, kept].contiguous()}

        axes = keep("axes", decompose)
        scale = (axes["trace"].item() / (n * f)) ** 0.5 or 1.0
        squares, vectors = axes["squares"] / scale**2, axes["vectors"]
        coordinates = vectors * squares.sqrt() if n < f else times(x, vectors).sub_(mean @ vectors).div_(scale)
        return cls(x, mean, scale, coordinates, squares / n, vectors)

    def in_features(self, weights: Tensor) -> Tensor:
        """Convert weights [r, k] of coordinates to [f, k] of the samples; biases also need ``-mean @ weights``."""
        if len(self.samples) >= self.samples.shape[1]:
            return self.vectors @ weights / self.scale
        lengths = (self.variances * len(self.samples)).sqrt()
        mixture = self.vectors @ (weights / lengths[:, None])
        return transposed_times(self.samples, mixture - mixture.mean(0)) / self.scale**2


def _moments(x: Tensor, mean: Tensor) -> Tensor:
    """Compute the product of the centred samples' transpose with themselves, [f, f]."""
    result = x.new_zeros(x.shape[1], x.shape[1], dtype=torch.float64)
    for rows in torch.split(x, COLUMNS):
        part = rows.double() - mean
        result.addmm_(part.T, part)
    return result


def linear(weights: Tensor, biases: Tensor) -> nn.Linear:
    """Make a linear layer with these weights [classes, f] and biases [classes]."""
    classes, features = weights.shape
    layer = nn.Linear(features, classes)
    with torch.no_grad():
        layer.weight.copy_(weights)
        layer.bias.copy_(biases)
    return layer
