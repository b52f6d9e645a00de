"""The paper's operations as torch layers, each a pure function and a module around it.

This package imports torch and nothing else of the project, so that it can be used by itself.
"""

from multistage.layers.contrast_norm import LocalContrastNorm, local_contrast_norm
from multistage.layers.filter_bank import FilterBank, filter_bank
from multistage.layers.pooling import AveragePool, MaxPool, average_pool, max_pool
from multistage.layers.rectify import Rectify, rectify

__all__ = [
    "AveragePool",
    "FilterBank",
    "LocalContrastNorm",
    "MaxPool",
    "Rectify",
    "average_pool",
    "filter_bank",
    "local_contrast_norm",
    "max_pool",
    "rectify",
]
