from dataclasses import dataclass

from multistage.operations import Pooling, poolings


@poolings.register("max_overlap", rank=2)
@dataclass(frozen=True)
class MaxOverlapping(Pooling):
    """The maximum of every window, with the overlapping windows of average pooling. Not in the paper."""

    layer = "multistage.layers:MaxPool"
