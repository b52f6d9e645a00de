"""Convolutional PSD: codes are maps over a region, and all of them explain it together.

    energy = |x - sum_i D_i * z_i|^2 + penalty |z|_1 + prediction sum_i |z_i - g_i tanh(sum_j k_ij * x_j)|^2

Patches that are coded one by one need each edge at every place; here neighbouring codes share one filter, so that
filters differ in more than their place. The reconstruction counts where every code that reaches it exists.

Source: Kavukcuoglu, Sermanet, Boureau, Gregor, Mathieu & LeCun, "Learning convolutional feature hierarchies for visual
recognition", NIPS 2010; thesis of the first author, chapter 5.
"""

from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from multistage.filters.patches import IMAGES, Patches, at_unit_scale
from multistage.filters.sparse_coding import Energy, descend, fista, quality
from multistage.filters.values import Filters, Report, Site, silent
from multistage.layers import FilterBank, filter_bank
from multistage.layers.convolution import convolve, spread

if TYPE_CHECKING:
    from multistage.filters.methods.psd import Psd

SIDE = 4
"""Side of a region in kernels, where maps are that large: 36 pixels for kernels of 9."""

TESTED = 64
"""Regions, of the same images, on which the quality of the codes is measured."""


class ConvolutionalEncoder(NamedTuple):
    """What is learned, in the filter bank's own form.

    Attributes:
        kernels: k, [units, fan_in, k, k].
        gain: g, [units].
        dictionary: D, [units, fan_in, k, k]; each unit's part has length 1.
        in_maps: Maps of a region.
        connections: Which of them each unit sees, and is seen in, [units, fan_in]; None: all, in order.
    """

    kernels: Tensor
    gain: Tensor
    dictionary: Tensor
    in_maps: int
    connections: Tensor | None = None

    def predict(self, x: Tensor) -> Tensor:
        """Codes of regions [n, in_maps, h, w], [n, units, h - k + 1, w - k + 1]: the filter bank's output."""
        return filter_bank(x, self.kernels, self.gain, connections=self.connections)

    def codes(self, x: Tensor, predicted: Tensor, energy: Energy, steps: int) -> Tensor:
        """Codes of least energy, by FISTA from the predicted ones, [n, units, h - k + 1, w - k + 1].

        Args:
            x: Regions [n, in_maps, h, w].
            predicted: What the encoder says of the codes.
            energy: What is minimised.
            steps: Of FISTA.
        """
        target, turned, margin = self.target(x), self.dictionary.flip(-1, -2), self.dictionary.shape[-1] - 1

        def gradient(z: Tensor) -> Tensor:
            error = self.reconstruct(z) - target
            return convolve(error, turned, None, self.connections, margin) + energy.prediction * (z - predicted)

        rate = 1 / (self.curvature(x.shape[2:]) + energy.prediction)  # of the gradient's half
        return fista(gradient, predicted, rate, rate * energy.penalty / 2, steps)

    def reconstruct(self, z: Tensor) -> Tensor:
        """The inner part of regions, sum_i D_i * z_i where all terms exist, [n, in_maps, h - 2k + 2, w - 2k + 2]."""
        return convolve(z, self._on_all_maps().transpose(0, 1))

    def target(self, x: Tensor) -> Tensor:
        """The inner part of regions: all but k - 1 pixels at each border."""
        margin = self.dictionary.shape[-1] - 1
        return x[:, :, margin : x.shape[2] - margin, margin : x.shape[3] - margin]

    def curvature(self, size: torch.Size) -> Tensor:
        """Bound of the greatest eigenvalue of reconstruction and its transpose on regions of a size.

        Both are parts of a convolution that wraps round, whose eigenvalues are those at each frequency.
        """
        spectra = torch.fft.rfft2(self._on_all_maps(), s=list(size)).permute(2, 3, 1, 0)
        return torch.linalg.eigvalsh(spectra @ spectra.mH).max()

    def _on_all_maps(self) -> Tensor:
        if self.connections is None:
            return self.dictionary
        return spread(self.dictionary, self.connections, self.in_maps)


def learn_convolutional_psd(
    draw: Callable[[int], Tensor],
    bank: FilterBank,
    energy: Energy,
    steps: int,
    batch_size: int,
    rate: float,
    random: torch.Generator,
    search: int = 30,
    report: Report = silent,
) -> ConvolutionalEncoder:
    """Learn dictionary and encoder together.

    Args:
        draw: Gives that many regions, [n, in_maps, h, w].
        bank: For its sizes and connections.
        energy: What is minimised.
        steps: Gradient steps, one a batch.
        batch_size: Regions a step.
        rate: Highest rate of Adam; it rises and falls once (one cycle).
        random: Decides the start.
        search: Steps of FISTA for the codes of each batch.
        report: Called after each step.
    """
    first = draw(batch_size)
    shape = bank.kernels.shape
    dictionary = torch.randn(shape, generator=random).to(first)
    kernels = torch.randn(shape, generator=random) / (3 * shape[1:].numel() ** 0.5)  # tanh begins nearly linear
    dictionary.div_(_lengths(dictionary))
    connections = None if bank.connections is None else bank.connections.to(first.device)
    gain = torch.ones(bank.out_maps).to(first)
    encoder = ConvolutionalEncoder(kernels.to(first), gain, dictionary, bank.in_maps, connections)
    batches = chain([first], (draw(batch_size) for _ in range(steps - 1)))

    def learn(x: Tensor) -> float:
        return _gradients(encoder, x, energy, search)

    def rescale() -> None:
        dictionary.div_(_lengths(dictionary))

    descend(encoder[:3], batches, steps, rate, learn, rescale, report)
    return encoder


def _lengths(dictionary: Tensor) -> Tensor:
    return torch.linalg.vector_norm(dictionary, dim=(1, 2, 3), keepdim=True)


def _gradients(encoder: ConvolutionalEncoder, x: Tensor, energy: Energy, search: int) -> float:
    """Give the encoder's tensors their gradients of the mean energy, codes being fixed; returns it."""
    leaves = [tensor.detach().requires_grad_() for tensor in encoder[:3]]
    kernels, gain, dictionary = leaves
    following = encoder._replace(kernels=kernels, gain=gain, dictionary=dictionary)
    predicted = following.predict(x)
    z = encoder.codes(x, predicted.detach(), energy, search)
    loss = energy(encoder.target(x), following.reconstruct(z), z, predicted).mean()
    for tensor, gradient in zip(encoder[:3], torch.autograd.grad(loss, leaves), strict=True):
        tensor.grad = gradient
    return float(loss.detach())


def region_side(kernel: int, side: int) -> int:
    """Side of the regions that filters of a side are learned from, on maps of a side; all in pixels."""
    return min(SIDE * kernel, side)


def convolutional_psd(method: "Psd", site: Site) -> Filters:
    """Filters for one bank by convolutional PSD of regions of its input, brought to unit scale.

    A batch holds as many pixels as ``psd.batch_size`` patches of the size of a filter.
    """
    bank, stage = site.bank, site.number - 1
    seen = site.maps(IMAGES)
    side = region_side(bank.kernel_size, min(seen.shape[2:]))
    batch_size = max(1, method.batch_size * bank.kernel_size**2 // side**2)
    draw, scale = at_unit_scale(Patches(seen, side, site.random("psd patches")), TESTED, site.device)
    energy = Energy(method.penalty[stage], method.prediction)
    course = method.steps[stage], batch_size, method.rate
    encoder = learn_convolutional_psd(draw, bank, energy, *course, site.random("psd"), report=site.report)
    measured = quality(encoder, draw(TESTED), energy) | {"scale": scale}
    return Filters(encoder.kernels * scale, encoder.gain, measured)
