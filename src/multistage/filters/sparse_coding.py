"""Sparse codes and learning them together with what predicts them: shared by both forms of PSD.

Source: FISTA is Beck & Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", 2009.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from multistage.filters.values import Report, silent
from multistage.layers import FilterBank
from multistage.registry.errors import MultistageError


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


@dataclass(frozen=True)
class Coder(ABC):
    """An encoder with the dictionary that it goes with; codes and what they are of have any shape [n, ...].

    Attributes:
        kernels: K of the encoder, a filter a unit.
        gain: g, [units].
        dictionary: What each unit stands for, of length 1.
        tested: On how many samples scale and quality are measured.
    """

    kernels: Tensor
    gain: Tensor
    dictionary: Tensor

    tested: ClassVar[int]

    @property
    def learned(self) -> tuple[Tensor, Tensor, Tensor]:
        """What learning changes."""
        return self.kernels, self.gain, self.dictionary

    @abstractmethod
    def predict(self, x: Tensor) -> Tensor:
        """The encoder's codes of x."""

    @abstractmethod
    def codes(self, x: Tensor, predicted: Tensor, energy: Energy, steps: int) -> Tensor:
        """Codes of least energy, by that many steps of FISTA from the predicted ones."""

    @abstractmethod
    def reconstruct(self, z: Tensor) -> Tensor:
        """What codes stand for."""

    @abstractmethod
    def target(self, x: Tensor) -> Tensor:
        """The part of x that is reconstructed."""

    @abstractmethod
    def rescale(self) -> None:
        """Bring what each unit stands for back to length 1."""

    @abstractmethod
    def of_bank(self, bank: FilterBank) -> Tensor:
        """The kernels as a bank holds them, [out_maps, fan_in, size, size]."""

    def gradients(self, x: Tensor, energy: Energy, search: int) -> float:
        """Give what is learned its gradients of the mean energy, which is returned; codes are fixed.

        Args:
            x: Samples [n, ...].
            energy: What is minimised.
            search: Steps of FISTA for the codes.
        """
        leaves = [tensor.detach().requires_grad_() for tensor in self.learned]
        following = replace(self, kernels=leaves[0], gain=leaves[1], dictionary=leaves[2])
        predicted = following.predict(x)
        z = self.codes(x, predicted.detach(), energy, search)
        loss = energy(self.target(x), following.reconstruct(z), z, predicted).mean()
        for tensor, gradient in zip(self.learned, torch.autograd.grad(loss, leaves), strict=True):
            tensor.grad = gradient
        return float(loss.detach())


@dataclass(frozen=True)
class Course:
    """How long and how fast is learned.

    Attributes:
        steps: Gradient steps, one a batch.
        batch_size: Samples a step.
        rate: Highest rate of Adam; it rises and falls once (one cycle).
        search: Steps of FISTA for the codes of each batch.
    """

    steps: int
    batch_size: int
    rate: float
    search: int = 30


def learn(coder: Coder, draw: Callable[[int], Tensor], energy: Energy, course: Course, report: Report = silent) -> None:
    """Learn dictionary and encoder together, in place, by Adam.

    Args:
        coder: Where it begins.
        draw: Gives that many samples, [n, ...].
        energy: What is minimised.
        course: How long and how fast.
        report: Called after each step.

    Raises:
        MultistageError: The energy became infinite or not a number.
    """
    rate = course.rate
    optimiser = torch.optim.Adam(coder.learned, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=course.steps + 1, cycle_momentum=False)
    for step in range(1, course.steps + 1):
        found = coder.gradients(draw(course.batch_size), energy, course.search)
        if not math.isfinite(found):
            raise MultistageError(f"psd diverged in step {step} (energy {found}); try a smaller psd.rate than {rate:g}")
        optimiser.step()
        schedule.step()
        coder.rescale()
        report(step, found)


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
