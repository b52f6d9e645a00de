"""Optimal stimuli: images of fixed energy that drive a pooled unit most, found by gradient ascent (paper, Fig. 4).

All maps of a stage are optimised together: image j of a batch is for the unit of map j.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistage.network.randomness import generator


class CentralUnits(nn.Module):
    """The central unit of each pooled map of a stage.

    Args:
        stage: From images [n, 1, side, side] to pooled maps of odd side.
    """

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, images: Tensor) -> Tensor:
        """Compute responses [n, maps]."""
        maps: Tensor = self.stage(images)
        height, width = maps.shape[2:]
        return maps[:, :, height // 2, width // 2]


@dataclass(frozen=True)
class Optimum:
    """The result of gradient ascent.

    Attributes:
        images: One for each unit, [units, 1, side, side].
        responses: Response of each unit to its image, [units].
        start: Response of each unit to its random initial image, [units].
    """

    images: Tensor
    responses: Tensor
    start: Tensor


def climb(units: nn.Module, side: int, steps: int = 60, rate: float = 0.3, seed: int = 0) -> Optimum:
    """Run gradient ascent on the input of every unit, from white noise; images keep root mean square 1.

    Each step along the gradient is a fraction of the image's norm, which falls from step to step; then the image is
    scaled back to its norm.

    Args:
        units: From images [n, 1, side, side] to responses [n, units].
        side: Side of the images, pixels.
        steps: Number of steps.
        rate: Length of the first step, as a fraction of the image's norm; it falls to 0 linearly.
        seed: Seed of the noise.
    """
    with torch.inference_mode():
        count = units(torch.zeros(1, 1, side, side)).shape[1]
    images = _unit(torch.randn(count, 1, side, side, generator=generator(seed, "stimuli")))
    own = torch.arange(count)
    start = None
    for step in range(steps):
        images.requires_grad_(True)
        responses = units(images)[own, own]
        start = responses.detach() if start is None else start
        (uphill,) = torch.autograd.grad(responses.sum(), images)
        images = _unit(images.detach() + rate * (1 - step / steps) * _unit(uphill))
    with torch.inference_mode():
        responses = units(images)[own, own]
    assert start is not None
    return Optimum(images, responses, start)


def _unit(images: Tensor) -> Tensor:
    """Scale images to root mean square 1; zeros stay zero."""
    length = images.square().mean((1, 2, 3), keepdim=True).sqrt()
    return images / torch.where(length > 0, length, 1)


@torch.inference_mode()
def shift_tolerance(units: nn.Module, images: Tensor, shifts: int) -> Tensor:
    """Measure responses to stimuli that are shifted along rows and columns, with zeros beyond the border.

    Args:
        units: From images [n, 1, side, side] to responses [n, n].
        images: One for each unit, [n, 1, side, side].
        shifts: The largest shift, pixels.

    Returns:
        Response of each unit to its own image after a shift of 0, 1, ... pixels, the mean over four directions,
        relative to its response without shift, [n, shifts + 1].
    """
    own = torch.arange(len(images))
    found = []
    for shift in range(shifts + 1):
        directions = ((shift, 0), (-shift, 0), (0, shift), (0, -shift))
        moved = [F.pad(images, (right, -right, down, -down)) for down, right in directions]
        found.append(torch.stack([units(image)[own, own] for image in moved]).mean(0))
    return torch.stack(found, 1) / found[0][:, None]
