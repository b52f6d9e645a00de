"""Predictive Sparse Decomposition: filters that predict the sparse codes of patches in one step.

    energy = |x - B z|^2 + penalty |z|_1 + prediction |z - g tanh(K x)|^2

For each batch of patches x, codes z are found by FISTA from the encoder's prediction g tanh(K x); then dictionary B
(columns of length 1), encoder K and gains g take one gradient step. Recognition keeps the encoder only.

Source: paper, equation 4; Kavukcuoglu, Ranzato & LeCun, "Fast inference in sparse coding algorithms with applications
to object recognition", CBLL-TR-2008-12-01.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from multistage.config import Config
from multistage.filters.patches import Patches
from multistage.filters.values import Filters, Maps, connected, correlating
from multistage.layers import FilterBank
from multistage.randomness import generator

IMAGES = 10_000
"""At most this many training images are looked at."""

TESTED = 5_000
"""Patches, of the same images, on which the scale and the quality of the codes are measured."""

Report = Callable[[int, float], None]
"""Called with (how many steps were done, mean energy of the last batch)."""


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


@dataclass(frozen=True)
class Energy:
    """The two weights of the energy.

    Attributes:
        penalty: lambda, of the codes' absolute values.
        prediction: alpha, of the encoder's squared errors.
    """

    penalty: float
    prediction: float = 1.0

    def __call__(self, x: Tensor, z: Tensor, dictionary: Tensor, predicted: Tensor) -> Tensor:
        """Energy of each patch, [n].

        Args:
            x: Patches [n, d].
            z: Their codes [n, units].
            dictionary: [d, units].
            predicted: What the encoder says of the codes, [n, units].
        """
        error, surprise = x - z @ dictionary.T, z - predicted
        return error.square().sum(1) + self.penalty * z.abs().sum(1) + self.prediction * surprise.square().sum(1)

    def codes(self, x: Tensor, dictionary: Tensor, predicted: Tensor, steps: int) -> Tensor:
        """Codes of least energy, by FISTA from the prediction, [n, units].

        Args:
            x: Patches [n, d].
            dictionary: [d, units].
            predicted: What the encoder says of the codes, [n, units].
            steps: Of FISTA.
        """
        inner = dictionary.T @ dictionary
        target = x @ dictionary + self.prediction * predicted
        inner.diagonal().add_(self.prediction)
        rate = 1 / torch.linalg.eigvalsh(inner)[-1]  # of the gradient's half
        z, ahead, momentum = predicted, predicted, 1.0
        for _ in range(steps):
            new = soft_threshold(ahead - rate * (ahead @ inner - target), rate * self.penalty / 2)
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = new + (momentum - 1) / following * (new - z)
            z, momentum = new, following
        return z


def soft_threshold(z: Tensor, threshold: Tensor | float) -> Tensor:
    """Towards 0 by a threshold, and not beyond."""
    return z.sign() * (z.abs() - threshold).clamp_min(0)


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
    report: Report = lambda step, energy: None,
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
    optimiser = torch.optim.Adam(encoder, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, cycle_momentum=False)
    for step in range(steps):
        x = draw(batch_size) if step else first
        loss = _gradients(encoder, x, energy, search, mask)
        optimiser.step()
        schedule.step()
        encoder.dictionary.div_(encoder.dictionary.norm(dim=0))
        report(step + 1, loss)
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
    z = energy.codes(x, dictionary, predicted, search)
    scale = 2 / len(x)
    wrong = z @ dictionary.T - x
    surprise = scale * energy.prediction * (predicted - z)
    dictionary.grad = scale * wrong.T @ z
    gain.grad = (surprise * squashed).sum(0)
    filters.grad = (surprise * gain * (1 - squashed.square())).T @ x
    if mask is not None:
        dictionary.grad *= mask.T
        filters.grad *= mask
    return float(energy(x, z, dictionary, predicted).mean())


def quality(encoder: Encoder, x: Tensor, energy: Energy, search: int = 300) -> dict[str, float]:
    """How well an encoder does on patches [n, d].

    Returns:
        ``energy``: Mean of the least energies. ``reconstruction_snr``, ``predicted_reconstruction_snr``: of the
        patches, from optimal and from predicted codes, dB. ``prediction_snr``: of optimal codes, by predicted ones, dB.
        ``active_fraction``: Of optimal codes that are not 0.
    """
    predicted = encoder.predict(x)
    z = energy.codes(x, encoder.dictionary, predicted, search)
    return {
        "energy": float(energy(x, z, encoder.dictionary, predicted).mean()),
        "reconstruction_snr": snr(x, z @ encoder.dictionary.T),
        "predicted_reconstruction_snr": snr(x, predicted @ encoder.dictionary.T),
        "prediction_snr": snr(z, predicted),
        "active_fraction": float((z != 0).float().mean()),
    }


def snr(signal: Tensor, estimate: Tensor) -> float:
    """Signal-to-noise ratio of an estimate, dB."""
    return float(10 * torch.log10(signal.square().sum() / (signal - estimate).square().sum()))


def psd(config: Config, number: int, bank: FilterBank, maps: Maps, device: torch.device) -> Filters:
    """Filters for one bank by Predictive Sparse Decomposition of patches of its input, brought to unit scale.

    Where the bank has a connection table, encoder and dictionary have it too.

    Args:
        config: The run's configuration; ``psd.`` says how.
        number: Of the stage, from 1.
        bank: For its sizes and connections.
        maps: Its input on training images.
        device: Where to compute.
    """
    size, units = bank.kernel_size, bank.out_maps
    patches = Patches(maps(IMAGES), size, generator(config["seed"], "psd patches", number))
    some = patches.draw(TESTED)
    scale = 1 / float(some.square().mean().sqrt())

    def draw(count: int) -> Tensor:
        return patches.draw(count).flatten(1).to(device) * scale

    energy = Energy(config[f"psd.stage{number}.penalty"], config["psd.prediction"])
    steps, batch_size, rate = config["psd.steps"], config["psd.batch_size"], config["psd.rate"]
    start = generator(config["seed"], "psd", number)
    mask = _mask(bank)
    encoder = learn_psd(draw, units, energy, steps, batch_size, rate, start, mask)
    measured = quality(encoder, draw(TESTED), energy) | {"scale": scale}
    filters = (encoder.filters * scale).cpu().reshape(units, bank.in_maps, size, size)
    return Filters(correlating(connected(filters, bank)), encoder.gain, measured)


def _mask(bank: FilterBank) -> Tensor | None:
    """Which values of a patch of all input maps each filter sees, [out_maps, in_maps * size * size] of 0 and 1."""
    if bank.connections is None:
        return None
    seen = torch.zeros(bank.out_maps, bank.in_maps).scatter_(1, bank.connections, 1)
    return seen.repeat_interleave(bank.kernel_size**2, 1)
