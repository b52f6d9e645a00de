"""Sparse coding, and learning encoder and dictionary: shared by both forms of PSD.

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
    """The energy, with its two weights.

    Attributes:
        penalty: lambda, weight of the codes' absolute values.
        prediction: alpha, weight of the encoder's squared errors.
    """

    penalty: float
    prediction: float = 1.0

    def __call__(self, target: Tensor, reconstructed: Tensor, z: Tensor, predicted: Tensor) -> Tensor:
        """Compute the energy of each sample, [n].

        Args:
            target: The data, [n, ...].
            reconstructed: Its reconstruction from the codes.
            z: The codes, [n, ...].
            predicted: The encoder's prediction of the codes.
        """
        error, surprise = (target - reconstructed).flatten(1), (z - predicted).flatten(1)
        sparsity = z.flatten(1).abs().sum(1)
        return error.square().sum(1) + self.penalty * sparsity + self.prediction * surprise.square().sum(1)


def soft_threshold(z: Tensor, threshold: Tensor | float) -> Tensor:
    """Shrink values towards 0 by a threshold, but not beyond 0."""
    return z.sign() * (z.abs() - threshold).clamp_min(0)


def fista(
    gradient: Callable[[Tensor], Tensor], start: Tensor, rate: Tensor | float, threshold: Tensor | float, steps: int
) -> Tensor:
    """Minimise a smooth function plus a multiple of the absolute values, by accelerated proximal gradient steps.

    Args:
        gradient: Gradient of the smooth function.
        start: Starting point.
        rate: Step size, at most 1 / largest curvature.
        threshold: The multiple, times `rate`.
        steps: Number of steps.
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
    """An encoder with its dictionary; samples and codes have any shape [n, ...].

    Attributes:
        kernels: K of the encoder, one filter for each unit.
        gain: g, [units].
        dictionary: One element for each unit, with norm 1.
        tested: Number of samples for measuring scale and quality.
    """

    kernels: Tensor
    gain: Tensor
    dictionary: Tensor

    tested: ClassVar[int]

    @property
    def learned(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the learned tensors."""
        return self.kernels, self.gain, self.dictionary

    @abstractmethod
    def predict(self, x: Tensor) -> Tensor:
        """Predict codes of x by the encoder."""

    @abstractmethod
    def codes(self, x: Tensor, predicted: Tensor, energy: Energy, steps: int) -> Tensor:
        """Find codes of least energy, by this many steps of FISTA from the predicted ones."""

    @abstractmethod
    def reconstruct(self, z: Tensor) -> Tensor:
        """Reconstruct samples from codes."""

    @abstractmethod
    def target(self, x: Tensor) -> Tensor:
        """Return the part of x that is reconstructed."""

    @abstractmethod
    def rescale(self) -> None:
        """Rescale the dictionary's elements to norm 1."""

    @abstractmethod
    def of_bank(self, bank: FilterBank) -> Tensor:
        """Return the kernels in the form of a bank, [out_maps, fan_in, size, size]."""

    def gradients(self, x: Tensor, energy: Energy, search: int) -> float:
        """Set the gradients of the mean energy for fixed codes; returns that energy.

        Args:
            x: Samples [n, ...].
            energy: The energy.
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
    """The schedule of learning.

    Attributes:
        steps: Gradient steps, one for each batch.
        batch_size: Samples in each step.
        rate: Peak learning rate of Adam, which rises and falls once (one cycle).
        search: Steps of FISTA for the codes of each batch.
    """

    steps: int
    batch_size: int
    rate: float
    search: int = 30


def learn(coder: Coder, draw: Callable[[int], Tensor], energy: Energy, course: Course, report: Report = silent) -> None:
    """Learn dictionary and encoder together, in place, by Adam.

    Args:
        coder: Encoder and dictionary, initialised.
        draw: Draws a number of samples, [n, ...].
        energy: The energy.
        course: The schedule.
        report: Called after each step.

    Raises:
        MultistageError: The energy became infinite or NaN.
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
    """Measure an encoder on samples [n, ...].

    Returns:
        ``energy``: mean of the minimal energies. ``reconstruction_snr``, ``predicted_reconstruction_snr``: of samples
        from optimal and from predicted codes, dB. ``prediction_snr``: of predicted against optimal codes, dB.
        ``active_fraction``: fraction of optimal codes that are not 0.

    Raises:
        MultistageError: All codes are 0.
    """
    target, predicted = coder.target(x), coder.predict(x)
    z = coder.codes(x, predicted, energy, search)
    if not z.any():
        raise MultistageError(
            f"psd learned nothing: a penalty of {energy.penalty:g} makes all codes 0; try a smaller one"
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
    """Return the signal-to-noise ratio of an estimate, dB."""
    return float(10 * torch.log10(signal.square().sum() / (signal - estimate).square().sum()))
