"""The cubic norm of every window: an example of a pooling."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Pooling, poolings

if TYPE_CHECKING:
    from torch import nn


@poolings.register("l3")
@dataclass(frozen=True)
class L3(Pooling):
    """The cubic norm of every window."""

    def build(self, kernel_size: int, stride: int) -> "nn.Module":
        from torch import nn

        return nn.LPPool2d(3, kernel_size, stride)
