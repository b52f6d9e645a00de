"""Count parameters and multiply-adds of layers.

A multiply-add is one product that is added to a sum, as in the layers' definitions: a filter bank sums over the taps of
its connected kernels, N over the maps (mean and mean square) and twice over its window, average pooling over its
window, the classifier over its inputs; batch normalisation scales each value once. Rectification, tanh, gain and max
pooling have none.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from multistage.layers import AveragePool, FilterBank, LocalContrastNorm
from multistage.network.net import MultiStageNet


class LayerCount(NamedTuple):
    """One layer of a network, for one image.

    Attributes:
        name: Such as ``stage 1 filter_bank``, or ``classifier``.
        shape: Shape of its output: (maps, height, width), or (scores,).
        parameters: Number of trainable parameters.
        multiply_adds: As defined above.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def count(net: MultiStageNet, image: tuple[int, int, int]) -> list[LayerCount]:
    """Count the layers of a network, in order.

    Args:
        net: One filter set, whose last maps are read as they are (`readout.levels=null`).
        image: (maps, height, width) of its input.
    """
    counts = []
    x = torch.zeros(1, *image)
    with torch.inference_mode():
        for number, stage in enumerate(net.eval().stages, 1):
            for name, layer in stage.named_children():
                y = layer(x)
                counts.append(_count(f"stage {number} {name}", layer, x, y))
                x = y
        x = x.flatten(1)
        return [*counts, _count("classifier", net.classifier, x, net.classifier(x))]


def _count(name: str, layer: nn.Module, x: Tensor, y: Tensor) -> LayerCount:
    parameters = sum(p.numel() for p in layer.parameters())
    return LayerCount(name, tuple(y.shape[1:]), parameters, _multiply_adds(layer, x, y))


def _multiply_adds(layer: nn.Module, x: Tensor, y: Tensor) -> int:
    match layer:
        case FilterBank():
            return layer.kernels[0].numel() * y.numel()
        case LocalContrastNorm():
            return 2 * (x.shape[1] + layer.kernel_size**2) * math.prod(x.shape[2:])
        case AveragePool():
            return layer.window**2 * y.numel()
        case nn.BatchNorm2d():
            return y.numel()
        case _:
            return sum(part.weight.numel() for part in layer.modules() if isinstance(part, nn.Linear))
