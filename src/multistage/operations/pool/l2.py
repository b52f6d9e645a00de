"""The root of the mean square of every window (Sermanet, Chintala & LeCun, ICPR 2012; the authors' EBLearn)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Pooling, poolings

if TYPE_CHECKING:
    from torch import nn


@poolings.register("l2")
@dataclass(frozen=True)
class L2(Pooling):
    """The root of the mean square of every window (Sermanet, Chintala & LeCun, ICPR 2012; the authors' EBLearn)."""

    def build(self, kernel_size: int, stride: int) -> "nn.Module":
        from multistage.layers import L2Pool

        return L2Pool(kernel_size, stride)
