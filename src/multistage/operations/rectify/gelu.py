"""x Phi(x), Phi the normal distribution (Hendrycks & Gimpel 2016, arXiv 1606.08415)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Rectification, rectifications

if TYPE_CHECKING:
    from torch import nn


@rectifications.register("gelu")
@dataclass(frozen=True)
class GELU(Rectification):
    """x Phi(x), Phi the normal distribution (Hendrycks & Gimpel 2016, arXiv 1606.08415)."""

    def build(self) -> "nn.Module":
        from multistage.layers import Rectify

        return Rectify("gelu")
