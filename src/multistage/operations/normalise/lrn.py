from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Normalisation, normalisations
from multistage.registry import setting
from multistage.registry.rules import number, whole

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("lrn", section="response_norm")
@dataclass(frozen=True)
class LocalResponse(Normalisation):
    """Local response normalisation over neighbouring channels (Krizhevsky et al., NeurIPS 2012), by torch."""

    size: int = setting(5, whole(1, 4096))
    alpha: float = setting(1e-4, number(0))
    beta: float = setting(0.75, number(0))
    k: float = setting(2.0, number(0))

    def build(self, channels: int) -> "nn.Module":
        from multistage.layers.fast.response_norm import LocalResponseNorm

        return LocalResponseNorm(self.size, self.alpha, self.beta, self.k)
