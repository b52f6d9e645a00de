"""lecture-07: a filter with a non-linearity is a detector of its pattern at any position."""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from audit.instruments.convolution_steps import flipped
from audit.instruments.detector import SLOPE, THRESHOLD, detector_map, vertical_edge
from audit.lecture import Found, Material, drawing
from audit.lecture.stage import sums

COUNT = 30
PATCH, CANVAS = 24, 96
BEST = 100
"""Number of averaged patches, those to which a filter responds most."""


def measure(material: Material) -> Found:
    """Detect edges, then find the patches that excite learned filters most."""
    x, k = material.photographs(COUNT), vertical_edge()
    found, other = detector_map(x, k), detector_map(x, -k)
    linear = sums(x, k[None])
    low, high = linear.amin((1, 2, 3), keepdim=True), linear.amax((1, 2, 3), keepdim=True)
    spread = (linear - low) / (high - low)
    firing = found > 0.5
    places = _at_places(x[0, 0], k)
    kernels, images = material.learned(), material.images("caltech101", COUNT)
    exciting, evenly = (torch.stack(means) for means in zip(*(_patches(images, k) for k in kernels), strict=True))
    return Found(
        {
            "images": COUNT,
            "normalised": COUNT,
            "filters": len(kernels),
            "best": BEST,
            "flat": float(detector_map(torch.full((1, 1, 3, 3), 128.0), k)),
            "contrast": THRESHOLD / (SLOPE * 3),
            "firing": _share(firing),
            "vertical": 100 * float((linear.abs() > sums(x, k.T[None]).abs())[firing].double().mean()),
            "opposite": 100 * float(firing[other > 0.5].double().mean()),
            "undecided": _share((found > 0.1) & (found < 0.9)),
            "linear": _share((spread > 0.1) & (spread < 0.9)),
            "places": len(places),
            "places_error": float((places - places[0]).abs().max()),
            "preferred": _correlation(flipped(kernels), exciting),
            "preferred_random": _correlation(flipped(kernels), evenly),
        },
        pictures={"detector": _detector(x, k), "preferred": _preferred(flipped(kernels)[5::12], exciting[5::12])},
    )


def _share(chosen: Tensor) -> Tensor:
    """Return the fraction of positions, by image, %."""
    return 100 * chosen.double().mean((1, 2, 3))


def _at_places(photograph: Tensor, k: Tensor) -> Tensor:
    """Return the detector's outputs inside a part of a photograph, [places, rows, columns]."""
    piece = photograph[40 : 40 + PATCH, 40 : 40 + PATCH]
    corners = range(0, CANVAS - PATCH + 1, 8)
    answers = []
    for top, left in product(corners, repeat=2):
        canvas = torch.full((1, 1, CANVAS, CANVAS), 128.0)
        canvas[..., top : top + PATCH, left : left + PATCH] = piece
        answers.append(detector_map(canvas, k)[0, 0, top : top + PATCH - 2, left : left + PATCH - 2])
    return torch.stack(answers)


def _patches(images: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Average the patches that excite a kernel most, and as many evenly spaced ones, [size, size] each."""
    size = len(kernel)
    response = sums(images, kernel[None])
    windows = images[:, 0].unfold(1, size, 1).unfold(2, size, 1)

    def mean(chosen: Tensor) -> Tensor:
        return windows[torch.unravel_index(chosen, windows.shape[:3])].mean(0)

    return mean(response.flatten().topk(BEST).indices), mean(torch.arange(BEST) * response.numel() // BEST)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    a, b = (v.flatten(1) - v.flatten(1).mean(1, keepdim=True) for v in (a, b))
    return F.cosine_similarity(a, b)


@drawing.picture(2, 3, 3.3)
def _detector(axes: drawing.Axes, x: Tensor, k: Tensor) -> None:
    shown = x[len(x) // 6 :: len(x) // 3][:3]
    for column, (image, found) in enumerate(zip(shown, detector_map(shown, k), strict=True)):
        drawing.gray(axes[0, column], image[0], limit=255, low=0)
        drawing.gray(axes[1, column], found[0], limit=1, low=0)


def _preferred(filters: Tensor, patches: Tensor) -> bytes:
    @drawing.picture(2, len(filters), 2.1, squeeze=False)
    def draw(axes: drawing.Axes) -> None:
        for column, pair in enumerate(zip(filters, patches, strict=True)):
            for line, shown in enumerate(pair):
                drawing.gray(axes[line, column], shown)

    return draw()
