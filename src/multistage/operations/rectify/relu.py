"""The positive part, named in the paper's section 2 without figures."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Rectification, rectifications

if TYPE_CHECKING:
    from torch import nn


@rectifications.register("relu", rank=2)
@dataclass(frozen=True)
class ReLU(Rectification):
    """The positive part, named in the paper's section 2 without figures."""

    def build(self) -> "nn.Module":
        from multistage.layers import Rectify

        return Rectify("relu")
