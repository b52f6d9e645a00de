"""lecture-03: spatial correlation is local."""

import torch
from torch import Tensor

from audit.instruments.spatial import correlation, explained
from audit.lecture import Found, Material, drawing
from multistage.network.randomness import generator

COUNT = 60
DISTANCES = (0, 1, 2, 3, 4, 6, 8, 10, 14, 20, 28, 40, 60)
FURTHEST = {"MNIST digits": 20}
"""Distances in pixels, and the largest distance on small images."""

RADII = (1, 2, 3, 4)


def measure(material: Material) -> Found:
    """Measure correlations."""
    x = {
        "photographs": material.photographs(COUNT),
        "locally normalised": material.images("caltech101", COUNT)[..., 24:-24, 24:-24],  # away from the zero borders
        "MNIST digits": material.images("mnist", COUNT),
    }
    curves = {
        name: torch.stack([correlation(images, d) for d in DISTANCES if d <= FURTHEST.get(name, d)])
        for name, images in x.items()
    }  # [distances, images]
    shares = {name: torch.stack([100 * explained(images, radius) for radius in RADII]) for name, images in x.items()}
    photo, normalised, digits = curves.values()
    one, four, ten, forty = map(DISTANCES.index, (1, 4, 10, 40))
    return Found(
        {
            "images": COUNT,
            "digits": COUNT,
            "photo_near": photo[one],
            "photo_ten": photo[ten],
            "photo_forty": photo[forty],
            "normalised_near": normalised[one],
            "normalised_four": normalised[four],
            "normalised_ten": normalised[ten],
            "digit_four": digits[four],
            "digit_ten": digits[ten],
            "shuffled": correlation(_shuffled(x["photographs"]), 1),
            "photo_one": shares["photographs"][0],
            "photo_all": shares["photographs"][-1],
            "normalised_one": shares["locally normalised"][0],
            "normalised_all": shares["locally normalised"][-1],
        },
        pictures={"correlation": _curves(curves), "explained": _shares(shares)},
    )


def _shuffled(x: Tensor) -> Tensor:
    """Permute the pixels of all images in the same way."""
    order = torch.randperm(x[0].numel(), generator=generator(0, "shuffled pixels"))
    return x.flatten(1)[:, order].view_as(x)


@drawing.picture()
def _curves(ax: drawing.Axes, curves: dict[str, Tensor]) -> None:
    drawing.lines(ax, DISTANCES, curves, ("o-", "s-", "^-"))
    ax.axhline(0, **drawing.RULE)
    ax.set(xlabel="distance, pixels", ylabel="correlation", ylim=(-0.3, 1.03))
    ax.legend()


@drawing.picture()
def _shares(ax: drawing.Axes, shares: dict[str, Tensor]) -> None:
    drawing.lines(ax, RADII, shares, ("o-", "s-", "^-"))
    ax.set(xlabel="neighbours within, pixels", ylabel="variance explained, %", xticks=RADII, ylim=(0, 103))
    ax.legend(loc="lower right")
