from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Rectification, rectifications
from multistage.registry import setting
from multistage.registry.rules import number

if TYPE_CHECKING:
    from torch import nn


@rectifications.register("leaky_relu", section="leaky_relu")
@dataclass(frozen=True)
class LeakyReLU(Rectification):
    """The positive part, and the negative part times a slope (Maas, Hannun & Ng, ICML 2013)."""

    slope: float = setting(0.01, number(0, 1))

    def build(self, channels: int) -> "nn.Module":
        from torch.nn import LeakyReLU

        return LeakyReLU(self.slope)
