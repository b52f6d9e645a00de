"""Random filters: the paper's R."""

from dataclasses import dataclass

from multistage.filters import Method, filter_methods


@filter_methods.register("random", rank=0)
@dataclass(frozen=True)
class Random(Method):
    """Random filters, drawn with the network, uniform in +- ``geometry.stage<n>.filter_range``."""

    looks = False
    letter = "R"
