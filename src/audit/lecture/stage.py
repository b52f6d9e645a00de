"""Parts of a stage as functions, so that sections can measure with and without each of them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from audit.instruments.invariance import Function as Function
from multistage.layers import FilterBank, filter_bank, local_contrast_norm, rectify
from multistage.network.randomness import generator


def filtered(kernels: Tensor) -> Function:
    """Make F with gains of 1: from [n, 1, height, width] to one map per kernel; kernels k [maps, size, size]."""
    return lambda x: filter_bank(x, kernels[:, None])


def sums(x: Tensor, kernels: Tensor) -> Tensor:
    """Convolve images [n, 1, height, width] with kernels k [maps, size, size], without tanh."""
    return filter_bank(x, kernels[:, None], squash="none")


def chain(*functions: Function) -> Function:
    """Compose functions, first to last."""

    def chained(x: Tensor) -> Tensor:
        for function in functions:
            x = function(x)
        return x

    return chained


def operations(kernels: Tensor) -> dict[str, Function]:
    """Return the stage before pooling, with and without rectification and normalisation, by the paper's names."""
    bank = filtered(kernels)
    return {
        "F": bank,
        "F-R_relu": chain(bank, torch.relu),
        "F-R_abs": chain(bank, rectify),
        "F-N": chain(bank, local_contrast_norm),
        "F-R_abs-N": chain(bank, rectify, local_contrast_norm),
    }


def random_kernels(maps: int, size: int, seed: int = 0) -> Tensor:
    """Draw a network's initial random filters, [maps, size, size]."""
    bank = FilterBank(1, maps, size).requires_grad_(False)
    bank.reset_parameters(1 / size, generator(seed, "filters", 1))
    return bank.kernels[:, 0]


def random_like(kernels: Tensor) -> Tensor:
    """Draw as many random filters of the same size."""
    return random_kernels(len(kernels), kernels.shape[-1])


def framed(digits: Tensor, by: int) -> Tensor:
    """Pad digits with their background, `by` pixels on each side.

    Args:
        digits: [n, 1, height, width]; the background is an image's smallest value.
        by: Pixels.
    """
    return _padded(digits, (by, by, by, by))


def shifted(digits: Tensor, right: int) -> Tensor:
    """Shift the content of digits and fill with background; sizes do not change."""
    return _padded(digits, (right, -right))


def _padded(digits: Tensor, sides: tuple[int, ...]) -> Tensor:
    background = digits.amin((1, 2, 3), keepdim=True)
    return F.pad(digits - background, sides) + background


def accuracy(net: Function, x: Tensor, labels: Tensor) -> Tensor:
    """Return 1 for each image that a network classifies correctly, else 0, [n]."""
    with torch.no_grad():
        return (net(x).argmax(1) == labels).float()
