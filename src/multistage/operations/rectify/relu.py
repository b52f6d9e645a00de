from dataclasses import dataclass

from multistage.operations import Rectification, rectifications


@rectifications.register("relu", rank=2)
@dataclass(frozen=True)
class ReLU(Rectification):
    """The positive part, named in the paper's section 2 without figures."""
