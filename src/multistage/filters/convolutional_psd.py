"""Convolutional PSD: codes are maps over a region, and reconstruct it together.

    energy = |x - sum_i D_i * z_i|^2 + penalty |z|_1 + prediction sum_i |z_i - g_i tanh(sum_j k_ij * x_j)|^2

Patches that are coded separately need each edge at every position. Here codes at neighbouring positions share a filter,
so filters differ in more than position. The reconstruction is compared only where all codes that reach it exist.

Source: Kavukcuoglu, Sermanet, Boureau, Gregor, Mathieu & LeCun, "Learning convolutional feature hierarchies for visual
recognition", NIPS 2010; thesis of the first author, chapter 5.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from multistage.filters.sparse_coding import Coder, Energy, fista
from multistage.layers import FilterBank, filter_bank
from multistage.layers.convolution import convolve, spread

SIDE = 4
"""Side of a region, in kernel sizes, if maps are that large: 36 pixels for kernels of 9."""


@dataclass(frozen=True)
class ConvolutionalEncoder(Coder):
    """Encoder and dictionary for regions, in the filter bank's form.

    Attributes:
        kernels: k, [units, fan_in, k, k].
        gain: g, [units].
        dictionary: D, [units, fan_in, k, k]; each unit's filter has norm 1.
        in_maps: Number of maps of a region.
        connections: Input maps of each unit, for encoder and dictionary, [units, fan_in]; None: all, in order.
    """

    in_maps: int
    connections: Tensor | None = None

    tested: ClassVar[int] = 64

    @classmethod
    def start(cls, bank: FilterBank, random: torch.Generator, device: torch.device) -> "ConvolutionalEncoder":
        """Return a random encoder for a bank, with its connections."""
        shape = bank.kernels.shape
        dictionary = torch.randn(shape, generator=random)
        kernels = torch.randn(shape, generator=random) / (3 * shape[1:].numel() ** 0.5)  # tanh starts almost linear
        gain = torch.ones(bank.out_maps)
        connections = None if bank.connections is None else bank.connections.to(device)
        encoder = cls(kernels.to(device), gain.to(device), dictionary.to(device), bank.in_maps, connections)
        encoder.rescale()
        return encoder

    def predict(self, x: Tensor) -> Tensor:
        """Predict codes of regions [n, in_maps, h, w] as [n, units, h - k + 1, w - k + 1]: the filter bank's output."""
        return filter_bank(x, self.kernels, self.gain, connections=self.connections)

    def codes(self, x: Tensor, predicted: Tensor, energy: Energy, steps: int) -> Tensor:
        target, turned, margin = self.target(x), self.dictionary.flip(-1, -2), self.dictionary.shape[-1] - 1

        def gradient(z: Tensor) -> Tensor:
            error = self.reconstruct(z) - target
            return convolve(error, turned, None, self.connections, margin) + energy.prediction * (z - predicted)

        rate = 1 / (self.curvature(x.shape[2:]) + energy.prediction)  # of half the gradient
        return fista(gradient, predicted, rate, rate * energy.penalty / 2, steps)

    def reconstruct(self, z: Tensor) -> Tensor:
        """Reconstruct the inner part, sum_i D_i * z_i where all terms exist, [n, in_maps, h - 2k + 2, w - 2k + 2]."""
        return convolve(z, self._on_all_maps().transpose(0, 1))

    def target(self, x: Tensor) -> Tensor:
        """Return the inner part of regions: all but k - 1 pixels at each border."""
        margin = self.dictionary.shape[-1] - 1
        return x[:, :, margin : x.shape[2] - margin, margin : x.shape[3] - margin]

    def curvature(self, size: torch.Size) -> Tensor:
        """Bound the largest eigenvalue of the reconstruction times its transpose on regions of a size.

        Both are parts of a circular convolution, whose eigenvalues are found frequency by frequency.
        """
        spectra = torch.fft.rfft2(self._on_all_maps(), s=list(size)).permute(2, 3, 1, 0)
        return torch.linalg.eigvalsh(spectra @ spectra.mH).max()

    def rescale(self) -> None:
        self.dictionary.div_(torch.linalg.vector_norm(self.dictionary, dim=(1, 2, 3), keepdim=True))

    def of_bank(self, bank: FilterBank) -> Tensor:
        return self.kernels

    def _on_all_maps(self) -> Tensor:
        if self.connections is None:
            return self.dictionary
        return spread(self.dictionary, self.connections, self.in_maps)


def region_side(kernel: int, side: int) -> int:
    """Return the side of the regions for learning kernels, on maps of a given side; all in pixels."""
    return min(SIDE * kernel, side)
