"""The largest value of every window of average pooling. Not in the paper."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Pooling, poolings

if TYPE_CHECKING:
    from torch import nn


@poolings.register("max_overlap", rank=2)
@dataclass(frozen=True)
class MaxOverlapping(Pooling):
    """The largest value of every window of average pooling. Not in the paper."""

    def build(self, kernel_size: int, stride: int) -> "nn.Module":
        from multistage.layers import MaxPool

        return MaxPool(kernel_size, stride)
