from dataclasses import dataclass

from multistage.operations import Rectification, rectifications


@rectifications.register("square")
@dataclass(frozen=True)
class Square(Rectification):
    """x^2, the energy of a filter (Adelson & Bergen 1985; Hyvarinen & Hoyer 2000)."""
