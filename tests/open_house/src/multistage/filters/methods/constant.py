"""The same value everywhere: an example of a way to filters without labels."""

from dataclasses import dataclass

import torch

from multistage.filters import Method, filter_methods
from multistage.filters.values import Filters, Site


@filter_methods.register("constant")
@dataclass(frozen=True)
class Constant(Method):
    """The same value everywhere."""

    letter = "C"

    def find(self, site: Site) -> Filters:
        return Filters(torch.full_like(site.bank.kernels, 0.1))
