"""What a stage can do after its filter bank, one file a choice: `rectify`, then `normalise`, then `pool`.

    rectifications["abs"]()               an operation with its default settings
    normalisations["lcn"](kernel_size=5)  another one; its fields are its settings
    operation.build(...)                  the torch module

A new operation is one file in one of the three folders. Settings, refusals, caches, tables and tests follow from it.
May import `layers` and `registry`, and from elsewhere torch alone.
"""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from multistage.registry import Choice, Registry

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Filtering",
    "Normalisation",
    "Operations",
    "Pooling",
    "Rectification",
    "normalisations",
    "poolings",
    "rectifications",
]


@dataclass(frozen=True)
class Operation(Choice):
    """One operation of a stage; its fields are its settings.

    Attributes:
        symbol: The paper's, or none.
        layer: Where its torch module is, ``package:class``, for those whose module takes the arguments of `build`.
    """

    symbol: ClassVar[str] = ""
    layer: ClassVar[str] = ""

    def _layer(self, *arguments: object) -> "nn.Module":
        module: nn.Module = pkgutil.resolve_name(self.layer)(*arguments)
        return module


@dataclass(frozen=True)
class Rectification(Operation):
    """What is done to every value by itself."""

    def build(self) -> "nn.Module":
        """The module: [n, channels, height, width] to the same shape; `multistage.Rectify` knows many by name."""
        from multistage.layers import Rectify

        return Rectify(self.name)  # type: ignore[arg-type]

    def parts(self) -> Mapping[str, "nn.Module"]:
        """The modules of a stage by name."""
        return {"rectify": self.build()}


@dataclass(frozen=True)
class Normalisation(Operation):
    """What brings values to a common scale.

    Attributes:
        across_samples: Whether a sample's values depend, while it is trained, on those of others in its batch.

    Where filters are frozen, modules with buffers ``running_mean`` and ``running_var`` get them from training images.
    """

    across_samples: ClassVar[bool] = False

    def objection(self, channels: int, height: int, width: int) -> str | None:
        """Why it cannot be done to maps of these sizes, in words that follow its name; None: it can."""
        return None

    def build(self, channels: int) -> "nn.Module":
        """The module: [n, channels, height, width] to the same shape."""
        return self._layer(channels)

    def parts(self, channels: int) -> Mapping[str, "nn.Module"]:
        """The modules of a stage by name; the name of its section unless a choice says otherwise."""
        return {self.section or self.name: self.build(channels)}


@dataclass(frozen=True)
class Pooling(Operation):
    """What takes neighbouring positions together.

    Attributes:
        overlaps: Whether its windows are ``geometry.stage<n>.window`` wide; False: as wide as the step between them.
    """

    overlaps: ClassVar[bool] = True

    def build(self, kernel_size: int, stride: int) -> "nn.Module":
        """The module: [n, channels, height, width] to [n, channels, (height - kernel_size) // stride + 1, ...]."""
        return self._layer(kernel_size, stride)

    def parts(self, kernel_size: int, stride: int) -> Mapping[str, "nn.Module"]:
        """The modules of a stage by name; none where every window is one position."""
        return {} if kernel_size == stride == 1 else {"pool": self.build(kernel_size, stride)}


rectifications: Registry[Rectification] = Registry("model.rectify", "multistage.operations.rectify")
normalisations: Registry[Normalisation] = Registry("model.normalise", "multistage.operations.normalise")
poolings: Registry[Pooling] = Registry("model.pool", "multistage.operations.pool")


@dataclass(frozen=True)
class Filtering(Choice):
    """How a filter bank is: the arguments of `multistage.FilterBank` besides its sizes (F_CSG, equation 1)."""

    section = "filter_bank"

    squash: Literal["tanh", "none"] = "tanh"
    gain: bool = True
    bias: bool = False


@dataclass(frozen=True)
class Operations:
    """What a stage does, in order: F-R_abs-N-P_A of the paper unless other choices are given, as objects or by name.

    Raises:
        ConfigError: A name that does not exist.
    """

    rectify: Rectification = field(default="abs")  # type: ignore[assignment]
    normalise: Normalisation = field(default="lcn")  # type: ignore[assignment]
    pool: Pooling = field(default="average")  # type: ignore[assignment]
    filter_bank: Filtering = Filtering()

    def __post_init__(self) -> None:
        known: dict[str, Registry] = {"rectify": rectifications, "normalise": normalisations, "pool": poolings}
        for slot, registry in known.items():
            chosen = getattr(self, slot)
            if isinstance(chosen, str):
                object.__setattr__(self, slot, registry.choose(chosen)())
