"""Local contrast normalisation with all its options, in float64, with one weight for each pair of pixels.

Slow, meant to be right at a glance, and differentiable by torch. No blur is separated here, no square expanded.
"""

import functools
import itertools

import numpy as np
import torch
from layers.reference import gaussian, pixel_at


@functools.cache
def pairs_of_pixels(height, width, window, border):
    """Weights [pixels, pixels] of the second pixel in the window around the first, and [pixels] of all outside."""
    window = np.array(window)
    radius, size = len(window) // 2, height * width
    weights, outside = np.zeros((size, size)), np.zeros(size)
    for (j, k), p, q in itertools.product(np.ndindex(height, width), range(len(window)), range(len(window))):
        row, column = pixel_at(j + p - radius, height, border), pixel_at(k + q - radius, width, border)
        if row is None or column is None:
            outside[j * width + k] += window[p, q]
        else:
            weights[j * width + k, row * width + column] += window[p, q]
    return torch.from_numpy(weights), torch.from_numpy(outside)


def square_window(kernel_size, sigma, window):
    if isinstance(window, str):
        square = gaussian(kernel_size, sigma) if window == "gaussian" else np.ones((kernel_size, kernel_size))
    else:
        square = np.array([[one * other for other in window] for one in window])
    return tuple(map(tuple, square / square.sum()))


def local_contrast_norm(x, mask=None, groups=None, across_maps=True, return_statistics=False, **options):
    """y, or y, m and sigma, of float64 maps [n, maps, height, width] or [maps, height, width]."""
    if x.ndim == 3:
        mask = None if mask is None else mask[None]
        found = local_contrast_norm(x[None], mask, groups, across_maps, True, **options)
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
    maps, height, width = x.shape
    weights, outside = pairs_of_pixels(height, width, square_window(kernel_size, sigma, window), border)
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
    return tuple(torch.where(inside, values, 0).view(-1, height, width) for values in (y, m[None], sigma[None]))
