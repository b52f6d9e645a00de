"""lecture-07: a filter with a non-linearity is a detector at any position."""

import torch
import torch.nn.functional as F
from torch import Tensor

from audit.instruments.convolution_steps import flipped
from audit.instruments.detector import SLOPE, THRESHOLD, detector_map, vertical_edge
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section
from multistage.layers import filter_bank
from multistage.records.intervals import Measured, mean_of

COUNT = 30
PATCH, CANVAS = 24, 96
BEST = 100
"""Patches of which the mean is taken: those to which a filter responds most."""

TEXT = (
    "The lecture's detector, `sigm(0.02 x * k - 4)` on gray values from black to white, with a kernel of 3x3 for "
    "vertical edges, dark on the left and bright on the right, was run over {images} photographs of Caltech-101. On a "
    "flat image it says {flat:.3f}, and one half for an edge of {contrast:.0f} gray values. It fires (above one half) "
    "at {firing:.1f} of all positions, and at {vertical:.1f} of these the image changes more along rows than along "
    "columns; of the positions where the detector for the other polarity, -k, fires, it fires at {opposite:.1f}. Most "
    "decisions are clear: {undecided:.1f} of its outputs lie between `0.1` and `0.9`, where those of a linear unit "
    "scaled to the same range would be spread over {linear:.1f}. It detects at any position: the same piece of a "
    "photograph, put at {places} places of a gray canvas, gets the same answers to within {places_error:.1g}. Learned "
    "filters are detectors in the same sense: the mean of the {best} patches of {normalised} images that excite a "
    "filter most looks like the filter's W, with a correlation of {preferred:.2f} over {filters} filters "
    "({preferred_random:.2f} for patches taken at random)."
)


def section(material: Material) -> Section:
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
    return Section(
        claim="lecture-07",
        title="A filter with a non-linearity is a detector, at any position",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "photographs"),
            "normalised": Measured(COUNT, "locally normalised Caltech-101 images"),
            "filters": Measured(len(kernels), "learned filters"),
            "best": Measured(BEST, "patches that excite a filter most"),
            "flat": Measured(float(detector_map(torch.full((1, 1, 3, 3), 128.0), k)), "detector's output, flat image"),
            "contrast": Measured(THRESHOLD / (SLOPE * 3), "gray values of an edge for an output of one half"),
            "firing": _share(firing, "positions where it fires"),
            "vertical": Measured(
                100 * float((upright > lying)[firing].double().mean()),
                "firing positions where the image changes more along rows than along columns",
                "%",
            ),
            "opposite": Measured(
                100 * float(firing[other > 0.5].double().mean()), "positions of the other polarity where it fires", "%"
            ),
            "undecided": _share((found > 0.1) & (found < 0.9), "outputs between 0.1 and 0.9"),
            "linear": _share((spread > 0.1) & (spread < 0.9), "linear responses between 0.1 and 0.9 of their range"),
            "places": Measured(len(places), "places where a piece of a photograph was put"),
            "places_error": Measured(float((places - places[0]).abs().max()), "largest difference between places"),
            "preferred": mean_of(
                preferred.tolist(), "correlation of W with the mean of the patches that excite it most"
            ),
            "preferred_random": mean_of(random.tolist(), "correlation of W with the mean of patches at random"),
        },
        pictures=[_detector_picture(x, k), _preferred_picture(images, kernels)],
    )


def _share(chosen: Tensor, what: str) -> Measured:
    return mean_of((100 * chosen.double().mean((1, 2, 3))).tolist(), what, "%")


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


def _detector_picture(x: Tensor, k: Tensor) -> Picture:
    shown = x[len(x) // 6 :: len(x) // 3][:3]
    with drawing.figure(2, 3, 3.3) as (drawn, axes):
        for column, (image, found) in enumerate(zip(shown, detector_map(shown, k), strict=True)):
            drawing.gray(axes[0, column], image[0], limit=255, low=0)
            drawing.gray(axes[1, column], found[0], limit=1, low=0)
        caption = "Three of the photographs, and the detector's map of each: white where it is sure of an edge."
        return Picture("lecture-07-detector", drawing.png(drawn), caption)


def _preferred_picture(images: Tensor, kernels: Tensor) -> Picture:
    shown = kernels[5::12]
    with drawing.figure(2, len(shown), 2.1) as (drawn, axes):
        for column, kernel in enumerate(shown):
            drawing.gray(axes[0, column], flipped(kernel))
            drawing.gray(axes[1, column], _patches(images, kernel)[0])
        caption = "Above: W of learned filters; below: the mean of the patches that excite each most."
        return Picture("lecture-07-preferred", drawing.png(drawn), caption)
