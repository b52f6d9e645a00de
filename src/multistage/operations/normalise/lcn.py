from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from multistage.operations import Normalisation, normalisations
from multistage.registry import setting
from multistage.registry.rules import NOTHING, Rule, either, number, one_of

if TYPE_CHECKING:
    from torch import nn

ODD = Rule("an odd whole number from 1 to 999", lambda v: type(v) is int and v in range(1, 1000, 2))


@normalisations.register("lcn", section="contrast_norm", rank=1)
@dataclass(frozen=True)
class LocalContrast(Normalisation):
    """The paper's N (section 2); its fields are the arguments of `multistage.LocalContrastNorm`."""

    kernel_size: int = setting(9, ODD)
    sigma: float | None = setting(None, either(number(0.1, 999), NOTHING))
    floor: float | Literal["mean"] = setting("mean", either(one_of("mean"), number(0)))
    border: Literal["zero", "renormalise", "reflect", "replicate"] = "zero"
    across_maps: bool = True
    floor_gradient: bool = True

    def build(self, channels: int) -> "nn.Module":
        from multistage.layers import LocalContrastNorm

        return LocalContrastNorm(**asdict(self))
