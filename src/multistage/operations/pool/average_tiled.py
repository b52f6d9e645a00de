"""The mean of every window; windows do not overlap. Not in the paper."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Pooling, poolings

if TYPE_CHECKING:
    from torch import nn


@poolings.register("average_tiled")
@dataclass(frozen=True)
class AverageTiled(Pooling):
    """The mean of every window; windows do not overlap. Not in the paper."""

    overlaps = False

    def build(self, kernel_size: int, stride: int) -> "nn.Module":
        from multistage.layers import AveragePool

        return AveragePool(kernel_size, stride)
