from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Normalisation, normalisations

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("batchnorm", rank=2)
@dataclass(frozen=True)
class BatchNorm(Normalisation):
    """Batch normalisation (Ioffe & Szegedy, ICML 2015).

    With frozen filters, one pass over the training images computes its statistics.
    """

    across_samples = True
    layer = "torch.nn:BatchNorm2d"

    def parts(self, channels: int) -> Mapping[str, "nn.Module"]:
        return {"batch_norm": self.build(channels)}
