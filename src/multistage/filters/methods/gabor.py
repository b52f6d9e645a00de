"""Gabor filters in the first stage, templates in those after it: the paper's G and T."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.filters import Method, filter_methods
from multistage.network.shapes import StageGeometry, StageShapes
from multistage.operations import Filtering
from multistage.registry.errors import ConfigError

if TYPE_CHECKING:
    from multistage.filters.values import Filters, Site


@filter_methods.register("gabor", rank=1)
@dataclass(frozen=True)
class Gabor(Method):
    """Gabor filters and templates, see `multistage.filters.gabor`."""

    letter = "G"

    def check(self, stages: Sequence[StageGeometry], shapes: Sequence[StageShapes], bank: Filtering) -> None:
        gabor_counts(stages[0].maps, stages[0].kernel)

    def find(self, site: "Site") -> "Filters":
        from multistage.filters.gabor import gabor

        return gabor(site)


def gabor_counts(maps: int, kernel: int) -> tuple[int, int]:
    """How many orientations and wavelengths a bank of Gabor filters of two phases has.

    As many wavelengths as leave at least twice as many orientations: 64 maps are 8 x 4 x 2, 32 are 8 x 2 x 2, 8 are
    4 x 1 x 2.

    Args:
        maps: Filters in all.
        kernel: Side of the filters, pixels.

    Raises:
        ConfigError: A number that is odd or below 4, or a side below 5; names the key.
    """
    if maps < 4 or maps % 2:
        raise ConfigError(
            f"geometry.stage1.maps={maps} is no number of Gabor filters; expected an even number from 4 on "
            "(orientations x wavelengths x two phases), or filters=random or psd"
        )
    if kernel < 5:
        raise ConfigError(
            f"geometry.stage1.kernel={kernel} is too small for Gabor filters; expected at least 5, "
            "or filters=random or psd"
        )
    pairs = maps // 2
    wavelengths = max(count for count in range(1, pairs + 1) if pairs % count == 0 and 2 * count**2 <= pairs)
    return pairs // wavelengths, wavelengths
