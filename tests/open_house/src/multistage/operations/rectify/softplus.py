"""log(1 + exp(x)): an example of a rectification."""

from dataclasses import dataclass

from torch import nn

from multistage.operations import Rectification, rectifications


@rectifications.register("softplus")
@dataclass(frozen=True)
class Softplus(Rectification):
    """log(1 + exp(x))."""

    def build(self) -> nn.Module:
        return nn.Softplus()
