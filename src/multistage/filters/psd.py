"""Predictive Sparse Decomposition, unsupervised: filters that predict the sparse codes of patches in one step.

    energy = |x - B z|^2 + penalty |z|_1 + prediction |z - g tanh(K x)|^2

For each batch of patches x, codes z are found by FISTA from the encoder's prediction g tanh(K x); then dictionary B
(columns of length 1), encoder K and gains g take one gradient step. Recognition keeps the encoder only.

`convolutional_psd` learns the same from regions, where a code has neighbours that explain their part.

Source: paper, equation 4; Kavukcuoglu, Ranzato & LeCun, "Fast inference in sparse coding algorithms with applications
to object recognition", CBLL-TR-2008-12-01.
"""

from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from multistage.filters.convolutional_psd import convolutional_psd
from multistage.filters.patches import IMAGES, Patches, at_unit_scale
from multistage.filters.sparse_coding import Energy, descend, fista, quality
from multistage.filters.values import Filters, Report, Site, connected, correlating, of_length, silent
from multistage.layers import FilterBank

if TYPE_CHECKING:
    from multistage.filters.methods.psd import Psd

TESTED = 5_000
"""Patches, of the same images, on which the scale and the quality of the codes are measured."""


class Encoder(NamedTuple):
    """What is learned.

    Attributes:
        filters: K, [units, d].
        gain: g, [units].
        dictionary: B, [d, units]; columns have length 1.
    """

    filters: Tensor
    gain: Tensor
    dictionary: Tensor

    def predict(self, x: Tensor) -> Tensor:
        """Codes g tanh(K x) of patches [n, d], [n, units]."""
        return self.gain * torch.tanh(x @ self.filters.T)

    def codes(self, x: Tensor, predicted: Tensor, energy: Energy, steps: int) -> Tensor:
        """Codes of least energy, by FISTA from the predicted ones, [n, units].

        Args:
            x: Patches [n, d].
            predicted: What the encoder says of the codes, [n, units].
            energy: What is minimised.
            steps: Of FISTA.
        """
        inner = self.dictionary.T @ self.dictionary
        target = x @ self.dictionary + energy.prediction * predicted
        inner.diagonal().add_(energy.prediction)
        rate = 1 / torch.linalg.eigvalsh(inner)[-1]  # of the gradient's half
        return fista(lambda z: z @ inner - target, predicted, rate, rate * energy.penalty / 2, steps)

    def reconstruct(self, z: Tensor) -> Tensor:
        """Patches B z of codes [n, units], [n, d]."""
        return z @ self.dictionary.T

    def target(self, x: Tensor) -> Tensor:
        """All of a patch."""
        return x


def learn_psd(
    draw: Callable[[int], Tensor],
    units: int,
    energy: Energy,
    steps: int,
    batch_size: int,
    rate: float,
    random: torch.Generator,
    mask: Tensor | None = None,
    search: int = 30,
    report: Report = silent,
) -> Encoder:
    """Learn dictionary and encoder together.

    Args:
        draw: Gives that many patches, [n, d].
        units: Length of a code.
        energy: What is minimised.
        steps: Gradient steps, one a batch.
        batch_size: Patches a step.
        rate: Highest rate of Adam; it rises and falls once (one cycle).
        random: Decides the start.
        mask: Which values of a patch each unit sees, [units, d] of 0 and 1; the dictionary is masked alike. None: all.
        search: Steps of FISTA for the codes of each batch.
        report: Called after each step.
    """
    first = draw(batch_size)
    mask = None if mask is None else mask.to(first)
    encoder = Encoder(*(tensor.to(first) for tensor in _start(first.shape[1], units, random, mask)))
    batches = chain([first], (draw(batch_size) for _ in range(steps - 1)))

    def learn(x: Tensor) -> float:
        return _gradients(encoder, x, energy, search, mask)

    def rescale() -> None:
        encoder.dictionary.div_(encoder.dictionary.norm(dim=0))

    descend(encoder, batches, steps, rate, learn, rescale, report)
    return encoder


def _start(d: int, units: int, random: torch.Generator, mask: Tensor | None) -> Encoder:
    dictionary = torch.randn(d, units, generator=random)
    filters = torch.randn(units, d, generator=random) / (3 * d**0.5)  # tanh begins where it is nearly linear
    if mask is not None:
        dictionary, filters = dictionary * mask.T.cpu(), filters * mask.cpu()
    return Encoder(filters, torch.ones(units), dictionary / dictionary.norm(dim=0))


def _gradients(encoder: Encoder, x: Tensor, energy: Energy, search: int, mask: Tensor | None) -> float:
    """Give the encoder's tensors their gradients of the mean energy, codes being fixed; returns it."""
    filters, gain, dictionary = encoder
    squashed = torch.tanh(x @ filters.T)
    predicted = gain * squashed
    z = encoder.codes(x, predicted, energy, search)
    reconstructed = encoder.reconstruct(z)
    scale = 2 / len(x)
    wrong = reconstructed - x
    surprise = scale * energy.prediction * (predicted - z)
    dictionary.grad = scale * wrong.T @ z
    gain.grad = (surprise * squashed).sum(0)
    filters.grad = (surprise * gain * (1 - squashed.square())).T @ x
    if mask is not None:
        dictionary.grad *= mask.T
        filters.grad *= mask
    return float(energy(x, reconstructed, z, predicted).mean())


def psd(method: "Psd", site: Site) -> Filters:
    """Filters for one bank by Predictive Sparse Decomposition of patches of its input, brought to unit scale.

    Where the bank has a connection table, encoder and dictionary have it too. With ``psd.length=random`` filters are
    made as long as random ones in the end, and gains 1: tanh is then as nearly linear as it is with those.
    What is measured of them is measured before.
    """
    found = convolutional_psd(method, site) if method.convolutional else patch_psd(method, site)
    if method.length == "learned":
        return found
    kernels = of_length(found.kernels, site.random_length)
    return Filters(kernels, torch.ones(site.bank.out_maps), found.measured)


def patch_psd(method: "Psd", site: Site) -> Filters:
    """`psd`, each patch by itself, with filters as long as they were learned."""
    bank, stage = site.bank, site.number - 1
    size, units = bank.kernel_size, bank.out_maps
    patches = Patches(site.maps(IMAGES), size, site.random("psd patches"))
    scaled, scale = at_unit_scale(patches, TESTED, site.device)

    def draw(count: int) -> Tensor:
        return scaled(count).flatten(1)

    energy = Energy(method.penalty[stage], method.prediction)
    course = method.steps[stage], method.batch_size, method.rate
    encoder = learn_psd(draw, units, energy, *course, site.random("psd"), _mask(bank), report=site.report)
    measured = quality(encoder, draw(TESTED), energy) | {"scale": scale}
    filters = (encoder.filters * scale).cpu().reshape(units, bank.in_maps, size, size)
    return Filters(correlating(connected(filters, bank)), encoder.gain, measured)


def _mask(bank: FilterBank) -> Tensor | None:
    """Which values of a patch of all input maps each filter sees, [out_maps, in_maps * size * size] of 0 and 1."""
    if bank.connections is None:
        return None
    seen = torch.zeros(bank.out_maps, bank.in_maps).scatter_(1, bank.connections, 1)
    return seen.repeat_interleave(bank.kernel_size**2, 1)
