from dataclasses import dataclass

from multistage.operations import Pooling, poolings


@poolings.register("average", rank=0)
@dataclass(frozen=True)
class Average(Pooling):
    """The mean of every window; windows may overlap: the paper's P_A (section 2)."""

    layer = "multistage.layers:AveragePool"
