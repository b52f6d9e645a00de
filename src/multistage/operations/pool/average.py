"""The mean of every window; windows overlap, the paper's P_A (section 2)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Pooling, poolings

if TYPE_CHECKING:
    from torch import nn


@poolings.register("average", rank=0)
@dataclass(frozen=True)
class Average(Pooling):
    """The mean of every window; windows overlap, the paper's P_A (section 2)."""

    symbol = "P_A"

    def build(self, kernel_size: int, stride: int) -> "nn.Module":
        from multistage.layers import AveragePool

        return AveragePool(kernel_size, stride)
