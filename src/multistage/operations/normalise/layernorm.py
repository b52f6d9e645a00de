from dataclasses import dataclass

from multistage.operations import Normalisation, normalisations


@normalisations.register("layernorm")
@dataclass(frozen=True)
class LayerNorm(Normalisation):
    """Layer normalisation (Ba, Kiros & Hinton 2016): over channels, at each position."""

    layer = "multistage.layers:ChannelLayerNorm"
