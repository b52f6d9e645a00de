"""Local contrast normalisation with all its options, in float64, with one weight for each pair of pixels or voxels.

Slow, meant to be right at a glance, and differentiable by torch. No blur is separated here, no square expanded.
"""

import functools
import itertools
import math

import numpy as np
import torch
from layers.reference import pixel_at


@functools.cache
def pairs_of_pixels(sides, border, *window):
    """Weights [pixels, pixels] of the second pixel in the window around the first, and [pixels] of all outside."""
    square, pixels = square_window(len(sides), *window), list(np.ndindex(sides))
    number = {pixel: i for i, pixel in enumerate(pixels)}
    weights, outside = np.zeros((len(pixels), len(pixels))), np.zeros(len(pixels))
    for pixel, offset in itertools.product(pixels, np.ndindex(square.shape)):
        places = zip(pixel, offset, square.shape, sides, strict=True)
        other = tuple(pixel_at(j + p - taps // 2, side, border) for j, p, taps, side in places)
        if None in other:
            outside[number[pixel]] += square[offset]
        else:
            weights[number[pixel], number[other]] += square[offset]
    return torch.from_numpy(weights), torch.from_numpy(outside)


def square_window(axes, kernel_size, sigma, window):
    """As many times as there are axes the same number of weights, with sum 1: square, a row or a cube."""
    taps = kernel_size if isinstance(window, str) else len(window)
    sigma = kernel_size / (4 * math.sqrt(2)) if sigma is None else sigma
    square = np.zeros((taps,) * axes)
    for offset in np.ndindex(square.shape):
        if window == "gaussian":
            square[offset] = math.exp(-sum((p - taps // 2) ** 2 for p in offset) / (2 * sigma**2))
        else:
            square[offset] = 1 if window == "box" else math.prod(window[p] for p in offset)
    return square / square.sum()


def local_contrast_norm(x, mask=None, groups=None, across_maps=True, return_statistics=False, axes=2, **options):
    """y, or y, m and sigma, of float64 maps [n, maps, height, width] or [maps, height, width], or with other axes."""
    if x.ndim == axes + 1:
        mask = None if mask is None else mask[None]
        found = local_contrast_norm(x[None], mask, groups, across_maps, True, axes, **options)
        found = [values[0] for values in found]
    else:
        groups = groups or (1 if across_maps else x.shape[1])
        mask = torch.ones_like(x[:, :1]) if mask is None else mask
        masks = (mask != 0).expand(len(x), 1, *x.shape[2:])
        found = []
        for maps, inside in zip(x, masks, strict=True):
            parts = [of_one_group(group, inside[0], **options) for group in maps.chunk(groups)]
            found.append([torch.cat(values) for values in zip(*parts, strict=True)])
        found = [torch.stack(values) for values in zip(*found, strict=True)]
    return tuple(found) if return_statistics else found[0]


def of_one_group(
    x,
    inside,
    kernel_size=9,
    sigma=None,
    floor="mean",
    border="zero",
    floor_gradient=True,
    window="gaussian",
    floor_mode="max",
    deviation_of="residual",
    subtract=True,
    divide=True,
):
    """Of maps [maps, height, width] that share m and sigma, both [1, height, width]; `inside` is [height, width]."""
    maps, *sides = x.shape
    window = window if isinstance(window, str) else tuple(window)
    weights, outside = pairs_of_pixels(tuple(sides), border, kernel_size, sigma, window)
    inside = inside.flatten()
    weights = weights * inside
    outside = outside if border == "zero" else 0 * outside
    total = weights.sum(1) + outside
    total = torch.where(total > 0, total, 1)
    x = torch.where(inside, x.reshape(maps, -1), 0)

    m = (weights * x.mean(0)).sum(1) / total
    v = x - m if subtract else x
    if deviation_of == "window":  # of each pixel, from the mean of the window in which it is looked at
        squares = (weights * (x[:, None, :] - m[:, None]).square().mean(0)).sum(1) + outside * m.square()
    else:
        squares = (weights * v.square().mean(0)).sum(1)
    nothing = squares <= 1e-20 * m.square()  # of what is subtracted, rounding
    root = torch.where(nothing, 0, torch.where(nothing, 1, squares).sqrt())
    sigma = root / total if border == "torch7" else root / total.sqrt()

    c = sigma[inside].sum() / max(int(inside.sum()), 1) if floor == "mean" else torch.tensor(floor, dtype=x.dtype)
    c = c if floor_gradient else c.detach()
    divisor = sigma + c if floor_mode == "add" else torch.where(sigma >= c, sigma, c)
    divisor = torch.where(divisor > 0, divisor, 1)
    y = v / divisor if divide else v
    return tuple(torch.where(inside, values, 0).view(-1, *sides) for values in (y, m[None], sigma[None]))
