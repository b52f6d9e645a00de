from dataclasses import dataclass

from multistage.operations import Rectification, rectifications


@rectifications.register("relu", rank=2)
@dataclass(frozen=True)
class ReLU(Rectification):
    """The positive part; section 2 of the paper mentions it without figures."""
