"""lecture-07: a filter with a non-linearity is a detector at any position."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from audit.instruments.convolution_steps import flipped
from audit.instruments.detector import SLOPE, THRESHOLD, detector_map, vertical_edge
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Found
from multistage.layers import filter_bank

COUNT = 30
PATCH, CANVAS = 24, 96
BEST = 100
"""Patches of which the mean is taken: those to which a filter responds most."""


def measure(material: Material) -> Found:
    """Detect edges, then look at what excites learned filters."""
    x, k = material.photographs(COUNT), vertical_edge()
    found, other = detector_map(x, k), detector_map(x, -k)
    upright, lying = (filter_bank(x, kernel[None, None], squash="none").abs() for kernel in (k, k.T))
    firing = found > 0.5
    linear = filter_bank(x, k[None, None], squash="none")
    spread = (linear - linear.amin((1, 2, 3), keepdim=True)) / (
        linear.amax((1, 2, 3), keepdim=True) - linear.amin((1, 2, 3), keepdim=True)
    )
    places = _at_places(x[0, 0], k)
    kernels = material.filters("psd", False).after
    images = material.images("caltech101", COUNT)
    preferred, random = _preferred(images, kernels)
    return Found(
        {
            "images": COUNT,
            "normalised": COUNT,
            "filters": len(kernels),
            "best": BEST,
            "flat": float(detector_map(torch.full((1, 1, 3, 3), 128.0), k)),
            "contrast": THRESHOLD / (SLOPE * 3),
            "firing": _share(firing),
            "vertical": 100 * float((upright > lying)[firing].double().mean()),
            "opposite": 100 * float(firing[other > 0.5].double().mean()),
            "undecided": _share((found > 0.1) & (found < 0.9)),
            "linear": _share((spread > 0.1) & (spread < 0.9)),
            "places": len(places),
            "places_error": float((places - places[0]).abs().max()),
            "preferred": preferred,
            "preferred_random": random,
        },
        pictures={"detector": _detector(x, k), "preferred": _patterns(images, kernels)},
    )


def _share(chosen: Tensor) -> Tensor:
    """Of positions, by image, %."""
    return 100 * chosen.double().mean((1, 2, 3))


def _at_places(photograph: Tensor, k: Tensor) -> Tensor:
    """The detector's answers inside a piece of a photograph, [places, rows, columns]."""
    piece = photograph[40 : 40 + PATCH, 40 : 40 + PATCH]
    answers = []
    for top in range(0, CANVAS - PATCH + 1, 8):
        for left in range(0, CANVAS - PATCH + 1, 8):
            canvas = torch.full((1, 1, CANVAS, CANVAS), 128.0)
            canvas[..., top : top + PATCH, left : left + PATCH] = piece
            answers.append(detector_map(canvas, k)[0, 0, top : top + PATCH - 2, left : left + PATCH - 2])
    return torch.stack(answers)


def _patches(images: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the patches that excite a kernel most, and of as many evenly spaced ones, [size, size] each."""
    size = len(kernel)
    response = filter_bank(images, kernel[None, None], squash="none").flatten()
    height = images.shape[-1] - size + 1

    def mean(chosen: Tensor) -> Tensor:
        image, row, column = chosen // height**2, chosen % height**2 // height, chosen % height
        parts = zip(image.tolist(), row.tolist(), column.tolist(), strict=True)
        return torch.stack([images[i, 0, r : r + size, c : c + size] for i, r, c in parts]).mean(0)

    return mean(response.topk(BEST).indices), mean(torch.arange(BEST) * len(response) // BEST)


def _preferred(images: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor]:
    """Correlations of W with both means of `_patches`, [kernels] each."""
    means = [torch.stack(parts) for parts in zip(*(_patches(images, k) for k in kernels), strict=True)]
    best, random = (_correlation(flipped(kernels), part) for part in means)
    return best, random


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    a, b = (v.flatten(1) - v.flatten(1).mean(1, keepdim=True) for v in (a, b))
    return F.cosine_similarity(a, b)


@drawing.picture(2, 3, 3.3)
def _detector(axes: Any, x: Tensor, k: Tensor) -> None:
    shown = x[len(x) // 6 :: len(x) // 3][:3]
    for column, (image, found) in enumerate(zip(shown, detector_map(shown, k), strict=True)):
        drawing.gray(axes[0, column], image[0], limit=255, low=0)
        drawing.gray(axes[1, column], found[0], limit=1, low=0)


def _patterns(images: Tensor, kernels: Tensor) -> bytes:
    shown = kernels[5::12]

    @drawing.picture(2, len(shown), 2.1, squeeze=False)
    def draw(axes: Any) -> None:
        for column, kernel in enumerate(shown):
            drawing.gray(axes[0, column], flipped(kernel))
            drawing.gray(axes[1, column], _patches(images, kernel)[0])

    return draw()
