from dataclasses import dataclass

from multistage.operations import Pooling, poolings


@poolings.register("average_tiled")
@dataclass(frozen=True)
class AverageTiled(Pooling):
    """The mean of every window; windows do not overlap. Not in the paper."""

    overlaps = False
    layer = "multistage.layers:AveragePool"
