"""lecture-09: max pooling passes gradient to the winner only, mean pooling 1/m^2 to each; a convolution's gradient."""

from typing import Any

import torch
from torch import Tensor

from audit.instruments.convolution_steps import gradients
from audit.instruments.pooling_gradient import gradient, shares
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Found
from audit.lecture.stage import Function, filtered
from multistage.layers import average_pool, filter_bank, max_pool, rectify
from multistage.network.randomness import generator

COUNT = 10
WINDOW, STEP = 10, 5
INSIDE = slice(24, -24)
"""Off the zeros beside an image, where all inputs of a window are equal."""


def measure(material: Material) -> Found:
    """Send gradient back."""
    x = material.images("caltech101", COUNT)[..., INSIDE, INSIDE]
    kernels = material.filters("psd", False).after[::4]
    with torch.no_grad():
        responses = filtered(kernels)(x)
        maps = rectify(responses)
    of_max = shares(lambda m: max_pool(m, STEP), maps, STEP, STEP)
    of_mean = shares(lambda m: average_pool(m, WINDOW, STEP), maps.double(), WINDOW, STEP)
    overlapping = gradient(lambda m: average_pool(m, WINDOW, STEP), maps.double())[..., WINDOW:-WINDOW, WINDOW:-WINDOW]
    by_map, by_kernel = _convolution_errors(x[0, 0].double(), kernels[0].double())
    return Found(
        {
            "images": COUNT,
            "filters": len(kernels),
            "windows": len(of_max.reached),
            "winners": 100 * of_max.winners,
            "reached_max": _reached(lambda m: max_pool(m, STEP), maps),
            "reached_mean": _reached(lambda m: average_pool(m, STEP, STEP), maps),
            "share": float(of_mean.largest.mean()),
            "share_error": float((of_mean.largest - 1 / WINDOW**2).abs().max()),
            "overlap": float(overlapping.mean()),
            "overlap_spread": float(overlapping.std()),
            "ties": _ties(responses.relu(), responses),
            "ties_abs": _ties(maps, responses),
            "by_map": by_map,
            "by_kernel": by_kernel,
        },
        pictures={"gradients": _gradients(maps[2, 1][None, None, 20:55, 20:55])},
    )


def _reached(pool: Function, maps: Tensor) -> float:
    """Share of inputs that get any gradient, of those that some window sees, %."""
    side = maps.shape[-1] // STEP * STEP
    return 100 * float((gradient(pool, maps)[..., :side, :side] != 0).double().mean())


def _ties(maps: Tensor, responses: Tensor) -> float:
    """Share of windows whose largest value occurs more than once, of those where responses are not flat, %."""
    windows, before = (m.unfold(2, STEP, STEP).unfold(3, STEP, STEP).flatten(4) for m in (maps, responses))
    tied = (windows == windows.amax(-1, keepdim=True)).sum(-1) > 1
    return 100 * float(tied[before.amax(-1) > before.amin(-1)].double().mean())


def _convolution_errors(x: Tensor, k: Tensor) -> tuple[float, float]:
    """Largest differences between gradients written out and those of the filter bank, by the map and by the kernel."""
    x, k = x.clone().requires_grad_(), k.clone().requires_grad_()
    y = filter_bank(x[None, None], k[None, None], squash="none")[0, 0]
    upstream = torch.randn(y.shape, generator=generator(0, "upstream"), dtype=y.dtype)
    torch.autograd.backward(y, upstream)
    written = gradients(x.detach(), k.detach(), upstream)
    assert x.grad is not None
    assert k.grad is not None
    by_map, by_kernel = (float((a - b).abs().max()) for a, b in zip(written, (x.grad, k.grad), strict=True))
    return by_map, by_kernel


@drawing.picture(1, 3, 1.72)
def _gradients(axes: Any, piece: Tensor) -> None:
    of_max = gradient(lambda m: max_pool(m, STEP), piece)
    of_mean = gradient(lambda m: average_pool(m, WINDOW, STEP), piece)
    drawing.gray(axes[0], piece[0, 0], "a map", low=0)
    drawing.gray(axes[1], of_max[0, 0], "gradient, max", low=0)
    drawing.gray(axes[2], of_mean[0, 0], "gradient, mean", low=0)
