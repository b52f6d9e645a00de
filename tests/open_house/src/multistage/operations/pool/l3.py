"""The cubic norm of every window: an example of a pooling."""

from dataclasses import dataclass

from torch import nn

from multistage.operations import Pooling, poolings


@poolings.register("l3")
@dataclass(frozen=True)
class L3(Pooling):
    """The cubic norm of every window."""

    def build(self, kernel_size: int, stride: int) -> nn.Module:
        return nn.LPPool2d(3, kernel_size, stride)
