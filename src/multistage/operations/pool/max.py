from dataclasses import dataclass

from multistage.operations import Pooling, poolings


@poolings.register("max", rank=1)
@dataclass(frozen=True)
class Max(Pooling):
    """The maximum of every window; windows do not overlap: the paper's P_M (section 2)."""

    overlaps = False
    layer = "multistage.layers:MaxPool"
