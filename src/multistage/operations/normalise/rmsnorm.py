"""Root mean square normalisation (Zhang & Sennrich, NeurIPS 2019): over channels, at each position."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Normalisation, normalisations

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("rmsnorm")
@dataclass(frozen=True)
class RMSNorm(Normalisation):
    """Root mean square normalisation (Zhang & Sennrich, NeurIPS 2019): over channels, at each position."""

    def build(self, channels: int) -> "nn.Module":
        from multistage.layers import ChannelRMSNorm

        return ChannelRMSNorm(channels)
