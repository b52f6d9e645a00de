"""Each sample to one root mean square: an example of a normalisation with a layer of its own."""

from dataclasses import dataclass

from torch import Tensor, nn

from multistage.operations import Normalisation, normalisations
from multistage.registry import setting
from multistage.registry.rules import number


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x / x.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)


@normalisations.register("scaled", section="scaled")
@dataclass(frozen=True)
class Scaled(Normalisation):
    """Each sample to one root mean square."""

    factor: float = setting(2.0, number(0))

    def build(self, channels: int) -> nn.Module:
        return Scale(self.factor)
