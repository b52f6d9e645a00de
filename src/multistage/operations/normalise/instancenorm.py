from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Normalisation, normalisations

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("instancenorm")
@dataclass(frozen=True)
class InstanceNorm(Normalisation):
    """Instance normalisation (Ulyanov, Vedaldi & Lempitsky 2016, arXiv 1607.08022): each map separately."""

    def objection(self, channels: int, height: int, width: int) -> str | None:
        return None if height * width > 1 else "needs maps of more than one position"

    def build(self, channels: int) -> "nn.Module":
        from torch.nn import InstanceNorm2d

        return InstanceNorm2d(channels, affine=True)
