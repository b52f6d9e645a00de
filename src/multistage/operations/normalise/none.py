from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Normalisation, normalisations

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("none", rank=0)
@dataclass(frozen=True)
class Unnormalised(Normalisation):
    """No normalisation."""

    def parts(self, channels: int) -> Mapping[str, "nn.Module"]:
        return {}
