from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from multistage.operations import Normalisation, normalisations
from multistage.operations.normalise.lcn import ODD
from multistage.registry import setting
from multistage.registry.rules import NOTHING, either, number

if TYPE_CHECKING:
    from torch import nn


@normalisations.register("divisive", section="divisive_norm")
@dataclass(frozen=True)
class Divisive(Normalisation):
    """Divisive normalisation with learned floor and channel weights (Ren et al., ICLR 2017): local, over all maps.

    Its fields are the arguments of `multistage.DivisiveNorm2d`. With frozen filters its parameters keep their initial
    values.
    """

    kernel_size: int = setting(9, ODD)
    sigma: float | None = setting(None, either(number(0.1, 999), NOTHING))
    floor: float = setting(0.5, number(1e-6, exclusive=True))
    border: Literal["zero", "renormalise", "reflect", "replicate"] = "zero"
    exponent: float = setting(2.0, number(1, 16))
    weights: Literal["mean", "each"] = "mean"
    window: Literal["gaussian", "box"] = "gaussian"
    subtract: bool = True
    learn_floor: bool = True
    learn_exponent: bool = False
    learn_weights: bool = True

    def objection(self, channels: int, height: int, width: int) -> str | None:
        if self.window == "box" and self.sigma is not None:
            return "does not use divisive_norm.sigma with a box window"
        if self.learn_exponent and self.exponent == 1:
            return "cannot learn a divisive_norm.exponent whose initial value is 1; choose a larger one"
        return None

    def build(self, channels: int) -> "nn.Module":
        from multistage.layers import DivisiveNorm2d

        return DivisiveNorm2d(channels, **asdict(self))
