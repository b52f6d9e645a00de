"""Predictive Sparse Decomposition, unsupervised: filters that predict the sparse codes of patches in one step.

    energy = |x - B z|^2 + penalty |z|_1 + prediction |z - g tanh(K x)|^2

For each batch of patches x, FISTA finds codes z, starting from the encoder's prediction g tanh(K x); then dictionary B
(columns of norm 1), encoder K and gains g take one gradient step. Only the encoder is used for recognition.

`convolutional_psd` learns the same from regions, where neighbouring codes share the reconstruction.

Source: paper, equation 4; Kavukcuoglu, Ranzato & LeCun, "Fast inference in sparse coding algorithms with applications
to object recognition", CBLL-TR-2008-12-01.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from multistage.filters.convolutional_psd import ConvolutionalEncoder, region_side
from multistage.filters.patches import IMAGES, Patches, at_unit_scale
from multistage.filters.sparse_coding import Coder, Course, Energy, fista, learn, quality
from multistage.filters.values import Filters, Site, connected, correlating, of_length
from multistage.layers import FilterBank

if TYPE_CHECKING:
    from multistage.filters.methods.psd import Psd


@dataclass(frozen=True)
class Encoder(Coder):
    """Encoder and dictionary for patches, [n, in_maps, size, size] or flat [n, d].

    Attributes:
        kernels: K, [units, d].
        gain: g, [units].
        dictionary: B, [d, units]; columns have norm 1.
        mask: Which values of a patch each unit sees, [units, d] of 0 and 1, also for the dictionary. None: all.
    """

    mask: Tensor | None = None

    tested: ClassVar[int] = 5_000

    @classmethod
    def start(cls, bank: FilterBank, random: torch.Generator, device: torch.device) -> "Encoder":
        """Return a random encoder for a bank, with its connections."""
        mask = _mask(bank)
        units, d = bank.out_maps, bank.in_maps * bank.kernel_size**2
        dictionary = torch.randn(d, units, generator=random)
        kernels = torch.randn(units, d, generator=random) / (3 * d**0.5)  # tanh starts where it is almost linear
        if mask is not None:
            dictionary, kernels, mask = dictionary * mask.T, kernels * mask, mask.to(device)
        dictionary = dictionary / dictionary.norm(dim=0)
        return cls(kernels.to(device), torch.ones(units).to(device), dictionary.to(device), mask)

    def predict(self, x: Tensor) -> Tensor:
        """Predict codes g tanh(K x) of patches, [n, units]."""
        return self.gain * torch.tanh(x.flatten(1) @ self.kernels.T)

    def codes(self, x: Tensor, predicted: Tensor, energy: Energy, steps: int) -> Tensor:
        inner = self.dictionary.T @ self.dictionary
        target = x.flatten(1) @ self.dictionary + energy.prediction * predicted
        inner.diagonal().add_(energy.prediction)
        rate = 1 / torch.linalg.eigvalsh(inner)[-1]  # of half the gradient
        return fista(lambda z: z @ inner - target, predicted, rate, rate * energy.penalty / 2, steps)

    def reconstruct(self, z: Tensor) -> Tensor:
        """Reconstruct patches B z from codes [n, units], [n, d]."""
        return z @ self.dictionary.T

    def target(self, x: Tensor) -> Tensor:
        """Return the whole patch, flat."""
        return x.flatten(1)

    def rescale(self) -> None:
        self.dictionary.div_(self.dictionary.norm(dim=0))

    def of_bank(self, bank: FilterBank) -> Tensor:
        filters = self.kernels.cpu().reshape(bank.out_maps, bank.in_maps, bank.kernel_size, bank.kernel_size)
        return correlating(connected(filters, bank))

    def gradients(self, x: Tensor, energy: Energy, search: int) -> float:
        """Compute gradients by hand, which is faster than autograd."""
        x = x.flatten(1)
        squashed = torch.tanh(x @ self.kernels.T)
        predicted = self.gain * squashed
        z = self.codes(x, predicted, energy, search)
        reconstructed = self.reconstruct(z)
        scale = 2 / len(x)
        wrong = reconstructed - x
        surprise = scale * energy.prediction * (predicted - z)
        self.dictionary.grad = scale * wrong.T @ z
        self.gain.grad = (surprise * squashed).sum(0)
        self.kernels.grad = (surprise * self.gain * (1 - squashed.square())).T @ x
        if self.mask is not None:
            self.dictionary.grad *= self.mask.T
            self.kernels.grad *= self.mask
        return float(energy(x, reconstructed, z, predicted).mean())


def _mask(bank: FilterBank) -> Tensor | None:
    if bank.connections is None:
        return None
    seen = torch.zeros(bank.out_maps, bank.in_maps).scatter_(1, bank.connections, 1)
    return seen.repeat_interleave(bank.kernel_size**2, 1)


def psd(method: "Psd", site: Site) -> Filters:
    """Learn filters for one bank by Predictive Sparse Decomposition of patches or regions of its input, at unit scale.

    Encoder and dictionary share the bank's connection table. A batch of regions has as many pixels as
    ``psd.batch_size`` patches of a filter's size. With ``psd.length=random``, filters are finally scaled to the length
    of random ones and gains set to 1, so tanh is as linear as with those; measurements are taken before.
    """
    bank, stage, random = site.bank, site.number - 1, site.random("psd")
    seen = site.maps(IMAGES)
    side, batch_size = bank.kernel_size, method.batch_size
    encoder: Coder
    if method.convolutional:
        side = region_side(bank.kernel_size, min(seen.shape[2:]))
        batch_size = max(1, batch_size * bank.kernel_size**2 // side**2)
        encoder = ConvolutionalEncoder.start(bank, random, site.device)
    else:
        encoder = Encoder.start(bank, random, site.device)
    draw, scale = at_unit_scale(Patches(seen, side, site.random("psd patches")), encoder.tested, site.device)
    energy = Energy(method.penalty[stage], method.prediction)
    learn(encoder, draw, energy, Course(method.steps[stage], batch_size, method.rate), site.report)
    measured = quality(encoder, draw(encoder.tested), energy) | {"scale": scale}
    kernels = encoder.of_bank(bank) * scale
    if method.length == "learned":
        return Filters(kernels, encoder.gain, measured)
    return Filters(of_length(kernels, site.random_length), torch.ones(bank.out_maps), measured)
