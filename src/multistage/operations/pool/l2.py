from dataclasses import dataclass

from multistage.operations import Pooling, poolings


@poolings.register("l2")
@dataclass(frozen=True)
class L2(Pooling):
    """The root of the mean square of every window (Sermanet, Chintala & LeCun, ICPR 2012; the authors' EBLearn)."""

    layer = "multistage.layers:L2Pool"
