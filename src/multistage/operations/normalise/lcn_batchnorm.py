from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import normalisations
from multistage.operations.normalise.batchnorm import BatchNorm
from multistage.operations.normalise.lcn import LocalContrast

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("lcn_batchnorm", section="contrast_norm", rank=3)
@dataclass(frozen=True)
class LocalContrastThenBatchNorm(LocalContrast):
    """Local contrast normalisation, then batch normalisation."""

    across_samples = True

    def parts(self, channels: int) -> Mapping[str, "nn.Module"]:
        return {"contrast_norm": self.build(channels), **BatchNorm().parts(channels)}
