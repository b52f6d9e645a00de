"""log(1 + exp(x)): an example of a rectification."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Rectification, rectifications

if TYPE_CHECKING:
    from torch import nn


@rectifications.register("softplus")
@dataclass(frozen=True)
class Softplus(Rectification):
    """log(1 + exp(x))."""

    def build(self) -> "nn.Module":
        from torch.nn import Softplus

        return Softplus()
