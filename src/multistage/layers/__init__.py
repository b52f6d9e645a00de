"""The paper's operations as torch layers: a pure function for each, and a module around it.

This package imports torch and nothing else of the project, so it can be used alone.
"""

from multistage.layers.channel_norm import ChannelLayerNorm, ChannelRMSNorm, layer_norm, rms_norm
from multistage.layers.contrast_norm import LocalContrastNorm, local_contrast_norm
from multistage.layers.contrast_norm_axes import LocalContrastNorm1d, LocalContrastNorm3d
from multistage.layers.divisive_norm import DivisiveNorm2d, divisive_norm
from multistage.layers.filter_bank import FilterBank, filter_bank
from multistage.layers.pooling import AveragePool, L2Pool, MaxPool, average_pool, l2_pool, max_pool
from multistage.layers.rectify import Rectify, rectify

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
    "Rectify",
    "average_pool",
    "divisive_norm",
    "filter_bank",
    "l2_pool",
    "layer_norm",
    "local_contrast_norm",
    "max_pool",
    "rectify",
    "rms_norm",
]


def __dir__() -> list[str]:
    return __all__
