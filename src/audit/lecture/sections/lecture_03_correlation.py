"""lecture-03: spatial correlation is local."""

import torch
from torch import Tensor

from audit.instruments.spatial import correlation, explained
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section
from multistage.network.randomness import generator
from multistage.records.intervals import Measured, mean_of

COUNT = 60
DISTANCES = (0, 1, 2, 3, 4, 6, 8, 10, 14, 20, 28, 40, 60)
DIGIT_DISTANCES = tuple(d for d in DISTANCES if d <= 20)
RADII = (1, 2, 3, 4)

TEXT = (
    "How alike are two pixels, by their distance? Pearson's correlation was taken over all pairs in a row or a "
    "column, image by image: of {images} photographs of Caltech-101 in gray values, of the same images after the "
    "paper's local normalisation, and of {digits} digits of MNIST. Neighbours in photographs correlate by "
    "{photo_near:.2f}, pixels ten apart by {photo_ten:.2f}, forty apart, a third of the image, by {photo_forty:.2f}: "
    "correlation falls with distance, but slowly, and raw photographs are local only beside their own size. Local "
    "normalisation, which takes slow changes of light and shade away, leaves {normalised_near:.2f} between neighbours "
    "and {normalised_four:.2f} at four pixels; digits have {digit_four:.2f} at four and {digit_ten:.2f} at ten. With "
    "its pixels shuffled, a photograph shows {shuffled:.3f} between neighbours, as it should. Local in all of them is "
    "what pixels say about each other: by least squares the eight nearest neighbours explain {photo_one:.1f} of a "
    "photograph's variance, all eighty within four pixels {photo_all:.1f} (locally normalised: {normalised_one:.1f} "
    "and {normalised_all:.1f}). That is the case for small filters."
)


def section(material: Material) -> Section:
    """Correlate."""
    x = {
        "photographs": material.photographs(COUNT),
        "locally normalised": material.images("caltech101", COUNT)[..., 24:-24, 24:-24],  # off the zeros at the sides
        "MNIST digits": material.images("mnist", COUNT),
    }
    curves = {
        name: torch.stack([correlation(images, d) for d in _distances(name)]) for name, images in x.items()
    }  # [distances, images]
    shares = {name: torch.stack([100 * explained(images, radius) for radius in RADII]) for name, images in x.items()}
    photo, normalised, digits = curves.values()

    def at(curve: Tensor, distance: int, of: str) -> Measured:
        return mean_of(curve[DISTANCES.index(distance)].tolist(), f"correlation at {distance} pixels, {of}")

    def share(name: str, radius: int) -> Measured:
        values = shares[name][RADII.index(radius)].tolist()
        return mean_of(values, f"variance explained by neighbours within {radius} pixels, {name}", "%")

    return Section(
        claim="lecture-03",
        title="Spatial correlation is local",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "photographs"),
            "digits": Measured(COUNT, "digits"),
            "photo_near": at(photo, 1, "photographs"),
            "photo_ten": at(photo, 10, "photographs"),
            "photo_forty": at(photo, 40, "photographs"),
            "normalised_near": at(normalised, 1, "locally normalised"),
            "normalised_four": at(normalised, 4, "locally normalised"),
            "normalised_ten": at(normalised, 10, "locally normalised"),
            "digit_four": at(digits, 4, "MNIST digits"),
            "digit_ten": at(digits, 10, "MNIST digits"),
            "shuffled": mean_of(
                correlation(_shuffled(x["photographs"]), 1).tolist(), "correlation of neighbours after shuffling"
            ),
            "photo_one": share("photographs", 1),
            "photo_all": share("photographs", RADII[-1]),
            "normalised_one": share("locally normalised", 1),
            "normalised_all": share("locally normalised", RADII[-1]),
        },
        pictures=[_curves(curves), _shares(shares)],
    )


def _distances(name: str) -> tuple[int, ...]:
    return DIGIT_DISTANCES if name == "MNIST digits" else DISTANCES


def _shuffled(x: Tensor) -> Tensor:
    """Images whose pixels changed places, all in the same way."""
    order = torch.randperm(x[0].numel(), generator=generator(0, "shuffled pixels"))
    return x.flatten(1)[:, order].view_as(x)


def _curves(curves: dict[str, Tensor]) -> Picture:
    with drawing.figure() as (drawn, axes):
        ax = axes[0, 0]
        for (name, curve), marker in zip(curves.items(), "os^", strict=True):
            ax.plot(_distances(name), curve.mean(1), f"{marker}-", label=name)
        ax.axhline(0, color="#555555", linewidth=1)
        ax.set_xlabel("distance, pixels")
        ax.set_ylabel("correlation")
        ax.set_ylim(-0.3, 1.03)
        ax.legend()
        caption = "Correlation of two pixels against their distance, mean over {images} images each."
        return Picture("lecture-03-correlation", drawing.png(drawn), caption)


def _shares(shares: dict[str, Tensor]) -> Picture:
    with drawing.figure() as (drawn, axes):
        ax = axes[0, 0]
        for (name, found), marker in zip(shares.items(), "os^", strict=True):
            ax.plot(RADII, found.mean(1), f"{marker}-", label=name)
        ax.set_xlabel("neighbours within, pixels")
        ax.set_ylabel("variance explained, %")
        ax.set_xticks(RADII)
        ax.set_ylim(0, 103)
        ax.legend(loc="lower right")
        return Picture(
            "lecture-03-explained",
            drawing.png(drawn),
            "How much of a pixel's variance its neighbours explain: nearly all that can be known is known from the "
            "nearest ones.",
        )
