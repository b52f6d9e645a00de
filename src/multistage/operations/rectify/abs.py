from dataclasses import dataclass

from multistage.operations import Rectification, rectifications


@rectifications.register("abs", rank=1)
@dataclass(frozen=True)
class Absolute(Rectification):
    """The absolute value, the paper's R_abs (section 2)."""
