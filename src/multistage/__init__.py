"""The multi-stage architectures of Jarrett, Kavukcuoglu, Ranzato & LeCun (ICCV 2009).

    from multistage import FilterBank, Rectify, LocalContrastNorm, AveragePool, MaxPool, MultiStageNet, load

Names are imported when they are first used, so that a refused configuration need not wait for torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multistage.layers import (
        AveragePool,
        ChannelLayerNorm,
        ChannelRMSNorm,
        DivisiveNorm2d,
        FilterBank,
        L2Pool,
        LocalContrastNorm,
        LocalContrastNorm1d,
        LocalContrastNorm3d,
        MaxPool,
        Rectify,
    )
    from multistage.network.net import MultiStageNet
    from multistage.train.loading import load

__version__ = "0.2.0"
__all__ = [
    "AveragePool",
    "ChannelLayerNorm",
    "ChannelRMSNorm",
    "DivisiveNorm2d",
    "FilterBank",
    "L2Pool",
    "LocalContrastNorm",
    "LocalContrastNorm1d",
    "LocalContrastNorm3d",
    "MaxPool",
    "MultiStageNet",
    "Rectify",
    "load",
]

_HOME = {"MultiStageNet": "multistage.network.net", "load": "multistage.train.loading"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'multistage' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME.get(name, "multistage.layers")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
