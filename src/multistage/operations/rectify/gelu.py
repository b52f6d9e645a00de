from dataclasses import dataclass

from multistage.operations import Rectification, rectifications


@rectifications.register("gelu")
@dataclass(frozen=True)
class GELU(Rectification):
    """x Phi(x), with Phi the normal distribution function (Hendrycks & Gimpel 2016, arXiv 1606.08415)."""
