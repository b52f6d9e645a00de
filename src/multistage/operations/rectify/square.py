"""x^2, the energy of a filter (Adelson & Bergen 1985; Hyvarinen & Hoyer 2000)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Rectification, rectifications

if TYPE_CHECKING:
    from torch import nn


@rectifications.register("square")
@dataclass(frozen=True)
class Square(Rectification):
    """x^2, the energy of a filter (Adelson & Bergen 1985; Hyvarinen & Hoyer 2000)."""

    def build(self) -> "nn.Module":
        from multistage.layers import Rectify

        return Rectify("square")
