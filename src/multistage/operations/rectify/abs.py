"""The absolute value, the paper's R_abs (section 2)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Rectification, rectifications

if TYPE_CHECKING:
    from torch import nn


@rectifications.register("abs", rank=1)
@dataclass(frozen=True)
class Absolute(Rectification):
    """The absolute value, the paper's R_abs (section 2)."""

    symbol = "R_abs"

    def build(self) -> "nn.Module":
        from multistage.layers import Rectify

        return Rectify("abs")
