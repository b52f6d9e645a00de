"""The same value everywhere: an example of a filter method."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.filters import Method, filter_methods

if TYPE_CHECKING:
    from multistage.filters.values import Filters, Site


@filter_methods.register("constant")
@dataclass(frozen=True)
class Constant(Method):
    """The same value everywhere."""

    letter = "C"

    def find(self, site: "Site") -> "Filters":
        import torch

        from multistage.filters.values import Filters

        return Filters(torch.full_like(site.bank.kernels, 0.1))
