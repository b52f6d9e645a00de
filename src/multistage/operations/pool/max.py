"""The largest value of every window; windows do not overlap, the paper's P_M (section 2)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Pooling, poolings

if TYPE_CHECKING:
    from torch import nn


@poolings.register("max", rank=1)
@dataclass(frozen=True)
class Max(Pooling):
    """The largest value of every window; windows do not overlap, the paper's P_M (section 2)."""

    symbol = "P_M"
    overlaps = False

    def build(self, kernel_size: int, stride: int) -> "nn.Module":
        from multistage.layers import MaxPool

        return MaxPool(kernel_size, stride)
