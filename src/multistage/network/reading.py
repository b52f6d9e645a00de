"""Features for the classifier: the last stage's maps, or also pooled maps of all stages, of one or more filter sets.

filters.banks=4 readout.levels=[2,1] readout.power=0.5
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multistage.network.shapes import StageShapes
from multistage.registry import Choice, setting
from multistage.registry.errors import ConfigError
from multistage.registry.rules import NOTHING, Rule, either, number, whole
from multistage.registry.words import shown

if TYPE_CHECKING:
    from torch import Tensor, nn

CELLS = whole(1, 99)


def _are_levels(value: Any) -> bool:
    return isinstance(value, list) and all(map(CELLS.accepts, value)) and value == sorted(set(value), reverse=True)


def _are_levels_of_stages(value: Any) -> bool:
    if isinstance(value, list) and all(isinstance(each, list) for each in value):
        return any(value) and all(map(_are_levels, value))
    return _are_levels(value)


LEVELS = Rule(
    "whole numbers from 99 down to 1, such as [2,1] for the last stage, or a list for each stage, as [[4,2],[2,1]]",
    _are_levels_of_stages,
)

SMALLEST = 1e-8
"""Lower bound of a feature's magnitude before the power, whose gradient is unbounded at 0."""


@dataclass(frozen=True)
class FilterSets(Choice):
    """The number of parallel stacks of stages.

    Attributes:
        banks: Number of filter sets, each with its own connections and filters; the classifier reads the features of
            all. (Ciresan et al., CVPR 2012, use such columns too, but average their scores.)
    """

    section = "filters"

    banks: int = setting(1, whole(1, 64))


@dataclass(frozen=True)
class Reading(Choice):
    """The features that a classifier reads from the maps.

    Attributes:
        levels: Spatial pyramid (Lazebnik, Schmid & Ponce, CVPR 2006): also pool the last stage's maps to this many
            cells a side; with a list for each stage, those of all stages. A cell is the sum over its positions,
            divided by the square root of their number (of the mean number, where cells overlap). None: only the last
            stage's maps.
        power: Exponent of each feature's magnitude; its sign is kept (Perronnin, Sanchez & Mensink, ECCV 2010).
    """

    section = "readout"

    levels: Sequence[Any] | None = setting(None, either(LEVELS, NOTHING))
    power: float = setting(1.0, number(0, 10, exclusive=True))

    def of_stage(self, number: int, stages: int) -> Sequence[int]:
        """Return the levels of stage `number` (from 1) of `stages`."""
        if self.levels and isinstance(self.levels[0], list):
            return self.levels[number - 1]
        return self.levels or () if number == stages else ()

    def check(self, shapes: Sequence[StageShapes]) -> None:
        """Refuse levels that are too fine for the maps.

        Raises:
            ConfigError: One line with the key.
        """
        given = f"readout.levels={shown(self.levels)}"
        if self.levels and isinstance(self.levels[0], list) and len(self.levels) != len(shapes):
            raise ConfigError(f"{given} has {len(self.levels)} lists for {len(shapes)} stages; expected one for each")
        for number_, stage in enumerate(shapes, 1):
            side = min(stage.pooled[1:])
            if any(cells >= side for cells in self.of_stage(number_, len(shapes))):
                raise ConfigError(
                    f"{given} pools maps of stage {number_}, of {side} positions a side, into as many cells or more; "
                    f"expected less than {side}"
                )

    def length(self, shapes: Sequence[StageShapes]) -> int:
        """Return the number of features of one filter set."""
        maps, height, width = shapes[-1].pooled
        levels = (
            stage.pooled[0] * cells**2
            for number_, stage in enumerate(shapes, 1)
            for cells in self.of_stage(number_, len(shapes))
        )
        return maps * height * width + sum(levels)

    def features(self, stages: "Iterable[nn.Module]", x: "Tensor") -> "Tensor":
        """Return the last stage's maps, flattened (map, row, column), then the levels of each stage in the same order.

        Args:
            stages: First to last.
            x: Images [n, maps, height, width].

        Returns:
            [n, length].
        """
        import torch
        import torch.nn.functional as F

        levels, stages = [], list(stages)
        for number_, stage in enumerate(stages, 1):
            x = stage(x)
            for cells in self.of_stage(number_, len(stages)):
                positions = x.shape[2] * x.shape[3] / cells**2
                levels.append(positions**0.5 * F.adaptive_avg_pool2d(x, cells).flatten(1))
        found = torch.cat([x.flatten(1), *levels], 1) if levels else x.flatten(1)
        return found if self.power == 1 else found.sign() * found.abs().clamp_min(SMALLEST) ** self.power
