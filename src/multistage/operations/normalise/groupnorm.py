from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Normalisation, normalisations
from multistage.registry import setting
from multistage.registry.rules import whole

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("groupnorm", section="group_norm")
@dataclass(frozen=True)
class GroupNorm(Normalisation):
    """Group normalisation (Wu & He, ECCV 2018): for each sample, over groups of channels and all positions."""

    groups: int = setting(8, whole(1, 4096))

    def objection(self, channels: int, height: int, width: int) -> str | None:
        if channels % self.groups:
            return f"cannot divide {channels} maps into group_norm.groups={self.groups} equal groups"
        return None if channels // self.groups * height * width > 1 else "needs groups of more than one value"

    def build(self, channels: int) -> "nn.Module":
        from torch.nn import GroupNorm

        return GroupNorm(self.groups, channels)
