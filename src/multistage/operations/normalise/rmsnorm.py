from dataclasses import dataclass

from multistage.operations import Normalisation, normalisations


@normalisations.register("rmsnorm")
@dataclass(frozen=True)
class RMSNorm(Normalisation):
    """Root mean square normalisation (Zhang & Sennrich, NeurIPS 2019): over channels, at each position."""

    layer = "multistage.layers:ChannelRMSNorm"
