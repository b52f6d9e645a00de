"""Batch normalisation (Ioffe & Szegedy, ICML 2015)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistage.operations import Normalisation, normalisations

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("batchnorm", rank=2)
@dataclass(frozen=True)
class BatchNorm(Normalisation):
    """Batch normalisation. With frozen filters its statistics come from one pass over the training images."""

    across_samples = True

    def build(self, channels: int) -> "nn.Module":
        from torch.nn import BatchNorm2d

        return BatchNorm2d(channels)

    def parts(self, channels: int) -> Mapping[str, "nn.Module"]:
        return {"batch_norm": self.build(channels)}
