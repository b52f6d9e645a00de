"""Layer normalisation (Ba, Kiros & Hinton 2016): over channels, at each position."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Normalisation, normalisations

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("layernorm")
@dataclass(frozen=True)
class LayerNorm(Normalisation):
    """Layer normalisation (Ba, Kiros & Hinton 2016): over channels, at each position."""

    def build(self, channels: int) -> "nn.Module":
        from multistage.layers import ChannelLayerNorm

        return ChannelLayerNorm(channels)
