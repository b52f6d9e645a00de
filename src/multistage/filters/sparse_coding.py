"""Sparse codes and learning them together with what predicts them: shared by both forms of PSD.

Source: FISTA is Beck & Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", 2009.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from multistage.registry.errors import MultistageError


class Coder(Protocol):
    """An encoder with the dictionary that it goes with; codes and what they are of have any shape [n, ...]."""

    def predict(self, x: Tensor) -> Tensor:
        """The encoder's codes of x."""

    def codes(self, x: Tensor, predicted: Tensor, energy: "Energy", steps: int) -> Tensor:
        """Codes of least energy, by that many steps of FISTA from the predicted ones."""

    def reconstruct(self, z: Tensor) -> Tensor:
        """What codes stand for."""

    def target(self, x: Tensor) -> Tensor:
        """The part of x that is reconstructed."""


@dataclass(frozen=True)
class Energy:
    """The two weights of the energy.

    Attributes:
        penalty: lambda, of the codes' absolute values.
        prediction: alpha, of the encoder's squared errors.
    """

    penalty: float
    prediction: float = 1.0

    def __call__(self, target: Tensor, reconstructed: Tensor, z: Tensor, predicted: Tensor) -> Tensor:
        """Energy of each sample, [n].

        Args:
            target: What is to be reconstructed, [n, ...].
            reconstructed: What the codes make of it.
            z: The codes, [n, ...].
            predicted: What the encoder says of the codes.
        """
        error, surprise = (target - reconstructed).flatten(1), (z - predicted).flatten(1)
        sparsity = z.flatten(1).abs().sum(1)
        return error.square().sum(1) + self.penalty * sparsity + self.prediction * surprise.square().sum(1)


def soft_threshold(z: Tensor, threshold: Tensor | float) -> Tensor:
    """Towards 0 by a threshold, and not beyond."""
    return z.sign() * (z.abs() - threshold).clamp_min(0)


def fista(
    gradient: Callable[[Tensor], Tensor], start: Tensor, rate: Tensor | float, threshold: Tensor | float, steps: int
) -> Tensor:
    """Minimise a smooth function plus a multiple of the absolute values, by accelerated steps.

    Args:
        gradient: Of the smooth function.
        start: Where to begin.
        rate: Length of a step: at most 1 / the greatest curvature.
        threshold: The multiple, times `rate`.
        steps: How many.
    """
    z, ahead, momentum = start, start, 1.0
    for _ in range(steps):
        new = soft_threshold(ahead - rate * gradient(ahead), threshold)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = new + (momentum - 1) / following * (new - z)
        z, momentum = new, following
    return z


def descend(
    tensors: Iterable[Tensor],
    batches: Iterable[Tensor],
    steps: int,
    rate: float,
    learn: Callable[[Tensor], float],
    rescale: Callable[[], object],
    report: Callable[[int, float], None],
) -> None:
    """Learn tensors in place by Adam, one step a batch; its rate rises and falls once (one cycle).

    Args:
        tensors: What is learned.
        batches: One for each step.
        steps: How many there are.
        rate: The highest rate.
        learn: Gives the tensors their gradients on a batch and returns its mean energy.
        rescale: Called after each step.
        report: Called after each step with (how many were done, mean energy of the batch).

    Raises:
        MultistageError: The energy became infinite or not a number.
    """
    optimiser = torch.optim.Adam(tensors, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, cycle_momentum=False)
    for step, x in enumerate(batches, 1):
        energy = learn(x)
        if not math.isfinite(energy):
            raise MultistageError(
                f"psd diverged in step {step} (energy {energy}); try a smaller psd.rate than {rate:g}"
            )
        optimiser.step()
        schedule.step()
        rescale()
        report(step, energy)


def quality(coder: Coder, x: Tensor, energy: Energy, search: int = 300) -> dict[str, float]:
    """How well an encoder does on samples [n, ...].

    Returns:
        ``energy``: Mean of the least energies. ``reconstruction_snr``, ``predicted_reconstruction_snr``: of the
        samples, from optimal and from predicted codes, dB. ``prediction_snr``: of optimal codes, by predicted ones, dB.
        ``active_fraction``: Of optimal codes that are not 0.

    Raises:
        MultistageError: All codes are 0.
    """
    target, predicted = coder.target(x), coder.predict(x)
    z = coder.codes(x, predicted, energy, search)
    if not z.any():
        raise MultistageError(
            f"psd learned nothing: a penalty of {energy.penalty:g} leaves all codes 0; try less of it"
        )
    reconstructed = coder.reconstruct(z)
    return {
        "energy": float(energy(target, reconstructed, z, predicted).mean()),
        "reconstruction_snr": snr(target, reconstructed),
        "predicted_reconstruction_snr": snr(target, coder.reconstruct(predicted)),
        "prediction_snr": snr(z, predicted),
        "active_fraction": float((z != 0).float().mean()),
    }


def snr(signal: Tensor, estimate: Tensor) -> float:
    """Signal-to-noise ratio of an estimate, dB."""
    return float(10 * torch.log10(signal.square().sum() / (signal - estimate).square().sum()))
