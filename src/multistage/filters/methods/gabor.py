"""Gabor filters in the first stage, templates in those after it: the paper's G and T."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.filters import Method, filter_methods
from multistage.filters.gabor_counts import gabor_counts
from multistage.network.shapes import StageGeometry, StageShapes
from multistage.operations import Filtering

if TYPE_CHECKING:
    from multistage.filters.values import Filters, Site


@filter_methods.register("gabor", rank=1)
@dataclass(frozen=True)
class Gabor(Method):
    """Gabor filters and templates, see `multistage.filters.gabor`."""

    letter = "G"

    def varies(self, stages: int) -> bool:
        return stages > 1  # templates are patches of images

    def check(self, stages: Sequence[StageGeometry], shapes: Sequence[StageShapes], bank: Filtering) -> None:
        gabor_counts(stages[0].maps, stages[0].kernel)

    def find(self, site: "Site") -> "Filters":
        from multistage.filters.gabor import gabor

        return gabor(site)
