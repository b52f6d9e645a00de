"""Operations of a stage after its filter bank, one file for each: `rectify`, then `normalise`, then `pool`.

    rectifications["abs"]()               an operation with its default settings
    normalisations["lcn"](kernel_size=5)  another one; its fields are its settings
    operation.build(...)                  the torch module

A new operation is one file in one of the three folders. Settings, refusals, caches, tables and tests follow from it.
May import `layers` and `registry`, and no package but torch.
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
    """An operation of a stage; its fields are its settings.

    Attributes:
        layer: The torch module, as ``package:class``, if its constructor takes the arguments of `build`.
    """

    layer: ClassVar[str] = ""

    def _layer(self, *arguments: object) -> "nn.Module":
        module: nn.Module = pkgutil.resolve_name(self.layer)(*arguments)
        return module


@dataclass(frozen=True)
class Rectification(Operation):
    """A rectification: a function of each value, the same one for all values of a map."""

    def build(self, channels: int) -> "nn.Module":
        """Build the module: [n, channels, height, width] to the same shape; `multistage.Rectify` has many by name."""
        if self.layer:
            return self._layer(channels)
        from multistage.layers import Rectify

        return Rectify(self.name)  # type: ignore[arg-type]

    def parts(self, channels: int) -> Mapping[str, "nn.Module"]:
        """Return its modules by name."""
        return {"rectify": self.build(channels)}


@dataclass(frozen=True)
class Normalisation(Operation):
    """A normalisation.

    Attributes:
        across_samples: Whether, in training, a sample's output depends on the other samples of its batch.

    With frozen filters, buffers ``running_mean`` and ``running_var`` are computed from the training images.
    """

    across_samples: ClassVar[bool] = False

    def objection(self, channels: int, height: int, width: int) -> str | None:
        """Return why it cannot be applied to maps of these sizes, worded to follow its name; None if it can."""
        return None

    def build(self, channels: int) -> "nn.Module":
        """Build the module: [n, channels, height, width] to the same shape."""
        return self._layer(channels)

    def parts(self, channels: int) -> Mapping[str, "nn.Module"]:
        """Return its modules by name: the name of its section, unless a choice overrides this."""
        return {self.section or self.name: self.build(channels)}


@dataclass(frozen=True)
class Pooling(Operation):
    """A pooling of neighbouring positions.

    Attributes:
        overlaps: Whether its windows are ``geometry.stage<n>.window`` wide; False: as wide as the stride.
    """

    overlaps: ClassVar[bool] = True

    def build(self, kernel_size: int, stride: int) -> "nn.Module":
        """Build the module: [n, channels, h, w] to [n, channels, (h - kernel_size) // stride + 1, ...]."""
        return self._layer(kernel_size, stride)

    def parts(self, kernel_size: int, stride: int) -> Mapping[str, "nn.Module"]:
        """Return its modules by name; none if every window is one position."""
        return {} if kernel_size == stride == 1 else {"pool": self.build(kernel_size, stride)}


rectifications: Registry[Rectification] = Registry("model.rectify", "multistage.operations.rectify")
normalisations: Registry[Normalisation] = Registry("model.normalise", "multistage.operations.normalise")
poolings: Registry[Pooling] = Registry("model.pool", "multistage.operations.pool")


@dataclass(frozen=True)
class Filtering(Choice):
    """Settings of the filter bank (F_CSG, equation 1): the arguments of `multistage.FilterBank` without its sizes."""

    section = "filter_bank"

    squash: Literal["tanh", "none"] = "tanh"
    gain: bool = True
    bias: bool = False


@dataclass(frozen=True)
class Operations:
    """The operations of a stage, in order, as objects or by name; the default is the paper's F-R_abs-N-P_A.

    Raises:
        ConfigError: Unknown name.
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
