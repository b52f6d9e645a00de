"""Unsupervised filters, by Predictive Sparse Decomposition (PSD): the paper's U."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from multistage.filters import Method, filter_methods
from multistage.network.shapes import StageGeometry, StageShapes
from multistage.operations import Filtering
from multistage.registry import setting
from multistage.registry.errors import ConfigError
from multistage.registry.rules import number, whole
from multistage.registry.words import shown

if TYPE_CHECKING:
    from multistage.filters.values import Filters, Site


@filter_methods.register("psd", section="psd", rank=2)
@dataclass(frozen=True)
class Psd(Method):
    """Unsupervised learning by Predictive Sparse Decomposition, see `multistage.filters.psd`."""

    letter = "U"

    penalty: tuple[float, ...] = setting((1.5,), number(0), per_stage=True)
    steps: tuple[int, ...] = setting((2000, 500), whole(1, 10**7), per_stage=True)
    prediction: float = setting(1.0, number(0))
    batch_size: int = setting(256, whole(1, 10**6))
    rate: float = setting(0.01, number(0, exclusive=True))
    length: Literal["learned", "random"] = "learned"
    convolutional: bool = False

    @property
    def keeps_range(self) -> bool:
        return self.length == "random"

    def check(self, stages: Sequence[StageGeometry], shapes: Sequence[StageShapes], bank: Filtering) -> None:
        for key, value, needed in (("squash", bank.squash, "tanh"), ("gain", bank.gain, True)):
            if value != needed:
                raise ConfigError(
                    f"filter_bank.{key}={shown(value)} does not go with filters=psd, which learns g tanh(k * x); "
                    f"expected filter_bank.{key}={shown(needed)}, or other filters"
                )
        for number_, (sizes, shape) in enumerate(zip(stages, shapes, strict=True), 1):
            if sizes.kernel == 1 and shape.input[0] == 1:
                raise ConfigError(
                    f"geometry.stage{number_}.kernel=1 on one map has patches of one value, from which filters=psd "
                    "learns nothing; expected at least 2, or other filters"
                )
            side = min(shape.input[1:])
            if self.convolutional and side < 2 * sizes.kernel - 1:
                raise ConfigError(
                    f"psd.convolutional=true needs maps of {2 * sizes.kernel - 1} pixels a side for "
                    f"geometry.stage{number_}.kernel={sizes.kernel}, which sees {side}; leave it out"
                )

    def steps_in(self, number: int) -> int:
        return self.steps[number - 1]

    def find(self, site: "Site") -> "Filters":
        from multistage.filters.psd import psd

        return psd(self, site)
