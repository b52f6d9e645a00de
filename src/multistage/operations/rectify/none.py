from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Rectification, rectifications

if TYPE_CHECKING:
    from torch import nn


@rectifications.register("none", rank=0)
@dataclass(frozen=True)
class Unrectified(Rectification):
    """No rectification."""

    def parts(self, channels: int) -> Mapping[str, "nn.Module"]:
        return {}
