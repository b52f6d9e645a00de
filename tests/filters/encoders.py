"""Both forms of PSD, of patches and of regions: encoders that predict nothing in particular, and slow definitions."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from scipy.signal import convolve2d
from torch import Tensor

from multistage.filters.convolutional_psd import ConvolutionalEncoder
from multistage.filters.psd import Encoder
from multistage.filters.sparse_coding import Coder

K, MAPS, UNITS = 3, 3, 4
TABLE = torch.tensor([[2, 0], [0, 1], [1, 2], [2, 1]])


def gaussian(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Example(NamedTuple):
    """An encoder, inputs, and the definitions of what it does."""

    encoder: Coder
    x: Tensor
    predict: Callable
    """Codes that an encoder predicts of inputs."""
    reconstruct: Callable
    """What an encoder makes of codes."""
    target: Tensor
    """What of the inputs is reconstructed."""

    def energy(self, z, penalty, prediction, encoder=None):
        """Of each input, with these codes."""
        encoder = self.encoder if encoder is None else encoder
        error = self.target - self.reconstruct(encoder, z)
        surprise = z - self.predict(encoder, self.x)
        parts = error**2, penalty * z.abs(), prediction * surprise**2
        return sum(part.flatten(1).sum(1) for part in parts)

    def reconstruction(self, shape):
        """The matrix of reconstruction, [inputs, codes], of codes of this shape."""
        codes = torch.eye(shape.numel(), dtype=torch.float64).view(-1, *shape)
        return self.reconstruct(self.encoder, codes).flatten(1).T


def inner_products(rows, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in rows.tolist()]


def predict_patches(encoder, x):
    gains = encoder.gain.tolist()
    return torch.tensor(
        [
            [gain * math.tanh(value) for gain, value in zip(gains, inner_products(encoder.kernels, patch), strict=True)]
            for patch in x.tolist()
        ],
        dtype=torch.float64,
    )


def reconstruct_patches(encoder, z):
    return torch.tensor([inner_products(encoder.dictionary, code) for code in z.tolist()], dtype=torch.float64)


def patches(d=12, units=20, n=15):
    encoder = Encoder(gaussian(units, d, seed=2) / 3, 1 + gaussian(units, seed=3) / 4, gaussian(d, units, seed=1))
    encoder.rescale()
    x = gaussian(n, d, seed=4)
    return Example(encoder, x, predict_patches, reconstruct_patches, x)


def sources(encoder):
    return (torch.arange(MAPS).expand(UNITS, -1) if encoder.connections is None else encoder.connections).tolist()


def predict_regions(encoder, x):
    """g tanh(sum_j k_j * x_j) over the positions where kernels fit."""
    codes = []
    for region in x:
        for unit, row in enumerate(sources(encoder)):
            kernels = encoder.kernels[unit]
            total = sum(convolve2d(region[i].numpy(), k.numpy(), "valid") for i, k in zip(row, kernels, strict=True))
            codes.append(encoder.gain[unit] * torch.tanh(torch.from_numpy(total)))
    return torch.stack(codes).view(len(x), UNITS, *codes[0].shape)


def reconstruct_regions(encoder, z):
    """Sum of D_i * z_i over whole regions, then without the border that some codes do not reach."""
    n, _, rows, columns = z.shape
    whole = torch.zeros(n, MAPS, rows + K - 1, columns + K - 1, dtype=z.dtype)
    for region in range(n):
        for unit, row in enumerate(sources(encoder)):
            for part, source in zip(encoder.dictionary[unit], row, strict=True):
                whole[region, source] += torch.from_numpy(convolve2d(z[region, unit].numpy(), part.numpy()))
    return inner(whole)


def inner(regions):
    return regions[:, :, K - 1 : 1 - K, K - 1 : 1 - K]


def regions(table=None, n=3, height=8, width=9):
    fan_in = MAPS if table is None else table.shape[1]
    dictionary, kernels = (gaussian(UNITS, fan_in, K, K, seed=seed) for seed in (1, 2))
    encoder = ConvolutionalEncoder(kernels / 3, 1 + gaussian(UNITS, seed=3) / 4, dictionary, MAPS, table)
    encoder.rescale()
    x = gaussian(n, MAPS, height, width, seed=4)
    return Example(encoder, x, predict_regions, reconstruct_regions, inner(x))


EXAMPLES = {"patches": patches, "regions": regions, "regions, connected": lambda **sizes: regions(TABLE, **sizes)}
