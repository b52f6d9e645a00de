"""lecture-09: max pooling passes gradient to the winner only, mean pooling 1/m^2 to each; a convolution's gradient."""

import torch
from torch import Tensor

from audit.instruments.convolution_steps import gradients
from audit.instruments.pooling_gradient import gradient, shares
from audit.lecture import Found, Material, drawing
from audit.lecture.stage import Function, filtered, sums
from multistage.layers import average_pool, max_pool, rectify
from multistage.network.randomness import generator

COUNT = 10
WINDOW, STEP = 10, 5
INSIDE = slice(24, -24)
"""Margin that avoids the zero borders, where all inputs of a window are equal."""


def measure(material: Material) -> Found:
    """Measure gradients through pooling and convolution."""
    x = material.images("caltech101", COUNT)[..., INSIDE, INSIDE]
    kernels = material.learned(4)
    responses = filtered(kernels)(x)
    maps = rectify(responses)
    of_max = shares(_max, maps, STEP, STEP)
    of_mean = shares(_mean, maps.double(), WINDOW, STEP)
    overlapping = gradient(_mean, maps.double())[..., WINDOW:-WINDOW, WINDOW:-WINDOW]
    by_map, by_kernel = _convolution_errors(x[0, 0].double(), kernels[0].double())
    return Found(
        {
            "images": COUNT,
            "filters": len(kernels),
            "windows": len(of_max.reached),
            "winners": 100 * of_max.winners,
            "reached_max": _reached(_max, maps),
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


def _max(maps: Tensor) -> Tensor:
    return max_pool(maps, STEP)


def _mean(maps: Tensor) -> Tensor:
    return average_pool(maps, WINDOW, STEP)


def _reached(pool: Function, maps: Tensor) -> float:
    """Return the fraction of inputs with a gradient, among those inside some window, %."""
    side = maps.shape[-1] // STEP * STEP
    return 100 * float((gradient(pool, maps)[..., :side, :side] != 0).double().mean())


def _ties(maps: Tensor, responses: Tensor) -> float:
    """Return the fraction of windows whose maximum is tied, among those that are not constant, %."""
    windows, before = (m.unfold(2, STEP, STEP).unfold(3, STEP, STEP).flatten(4) for m in (maps, responses))
    tied = (windows == windows.amax(-1, keepdim=True)).sum(-1) > 1
    return 100 * float(tied[before.amax(-1) > before.amin(-1)].double().mean())


def _convolution_errors(x: Tensor, k: Tensor) -> list[float]:
    """Return the largest differences between explicit gradients and the filter bank's, by map and by kernel."""
    inputs = [v.clone().requires_grad_() for v in (x, k)]
    y = sums(inputs[0][None, None], inputs[1][None])[0, 0]
    upstream = torch.randn(y.shape, generator=generator(0, "upstream"), dtype=y.dtype)
    found = torch.autograd.grad(y, inputs, upstream)
    return [float((a - b).abs().max()) for a, b in zip(gradients(x, k, upstream), found, strict=True)]


@drawing.picture(1, 3, 1.72)
def _gradients(axes: drawing.Axes, piece: Tensor) -> None:
    shown = {"a map": piece, "gradient, max": gradient(_max, piece), "gradient, mean": gradient(_mean, piece)}
    for ax, (title, values) in zip(axes, shown.items(), strict=True):
        drawing.gray(ax, values[0, 0], title, low=0)
