"""lecture-06: zero padding lets filters go over the border."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from audit.instruments.convolution_steps import uses
from audit.instruments.invariance import change
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section
from audit.lecture.stage import Function, filtered
from multistage.records.intervals import Measured, mean_of

COUNT, SIDE = 40, 128
"""Photographs, and their side, pixels."""

SIZE, RADIUS = 9, 4
"""Of the filters, pixels."""

IMAGE = 143
"""Side of the paper's images, pixels."""

RINGS = range(7)
"""Distances from the border, pixels."""

TEXT = (
    "A filter of 9x9 that stays inside an image has no unit centred on the outermost four pixels: of the paper's "
    "images of 143x143 it makes maps of 135x135, {lost:.1f} fewer positions, and after {depth} such layers nothing "
    "would be left. A pixel in the corner bears on {corner_valid} unit of a map, one in the middle on {centre}. With "
    "four zeros around the image, sizes stay and the corner bears on {corner_padded}. Borders are not empty: in "
    "{images} photographs of Caltech-101, the outermost four pixels hold {frame_energy:.1f} of the variance on "
    "{frame_area:.1f} of the area. But what filters see over the border is invented. The same photographs were cut "
    "smaller and padded, and the responses of {filters} learned filters compared with those where the photograph goes "
    "on. With zeros in the place of the mean gray, units on the outermost pixels differ by {zero_outer:.2f} (zero: "
    "right; one: of another image), those four pixels further in by {zero_inner:.1g}; where zeros are black, the "
    "outermost differ by {black_outer:.2f}; if the image is mirrored instead, by {mirror_outer:.2f}. The paper pads "
    "nothing, and neither do we: `filter_bank.padding=0`."
)


def section(material: Material) -> Section:
    """Count, then compare padded images with what was really there."""
    kernels = material.filters("psd", False).after
    photographs = material.photographs(COUNT, SIDE)
    x = (photographs - photographs.mean((2, 3), keepdim=True)) / photographs.std((2, 3), keepdim=True)
    frame = torch.ones(SIDE, SIDE, dtype=torch.bool)
    frame[RADIUS:-RADIUS, RADIUS:-RADIUS] = False
    in_frame = 100 * x.square()[..., frame].sum((1, 2)) / x.square().sum((1, 2, 3))
    errors = _errors(x, kernels)

    def outer(border: str) -> Measured:
        return mean_of(errors[border][0].tolist(), f"change of units on the outermost pixels, border: {border}")

    return Section(
        claim="lecture-06",
        title="Zero padding lets filters go over the border",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "photographs"),
            "filters": Measured(len(kernels), "learned filters"),
            "lost": Measured(100 * (1 - ((IMAGE - 2 * RADIUS) / IMAGE) ** 2), "positions without a unit", "%"),
            "depth": Measured((IMAGE - 1) // (2 * RADIUS), "layers of 9x9 without padding that 143x143 has room for"),
            "corner_valid": Measured(int(uses(IMAGE, SIZE)[0, 0]), "units that a corner pixel bears on, no padding"),
            "corner_padded": Measured(int(uses(IMAGE, SIZE, RADIUS)[0, 0]), "units that it bears on, padded"),
            "centre": Measured(int(uses(IMAGE, SIZE)[71, 71]), "units that a pixel in the middle bears on"),
            "frame_energy": mean_of(in_frame.tolist(), "variance of photographs in the outermost four pixels", "%"),
            "frame_area": Measured(100 * float(frame.double().mean()), "area of the outermost four pixels", "%"),
            "zero_outer": outer("mean gray"),
            "zero_inner": mean_of(
                errors["mean gray"][RADIUS].tolist(), "change of units four pixels further in, border: mean gray"
            ),
            "black_outer": outer("black"),
            "mirror_outer": outer("mirrored"),
        },
        pictures=[_uses_picture(), _border_picture(errors)],
    )


def _borders(black: Tensor) -> Mapping[str, Function]:
    """Ways to pad images with a mean of zero, by name; `black` is its value in each image, [n, 1, 1, 1]."""
    return {
        "black": lambda x: F.pad(x - black, [RADIUS] * 4) + black,
        "mean gray": lambda x: F.pad(x, [RADIUS] * 4),
        "mirrored": lambda x: F.pad(x, [RADIUS] * 4, mode="reflect"),
    }


def _errors(x: Tensor, kernels: Tensor) -> dict[str, Tensor]:
    """Change of units by padding, ring by ring from the border inwards, [rings, images], by border."""
    bank, cut = filtered(kernels), x[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
    with torch.no_grad():
        true = bank(x)
        found = {name: bank(pad(cut)) for name, pad in _borders(x.amin((1, 2, 3), keepdim=True)).items()}
    rings = [_ring(true.shape[-1], distance) for distance in RINGS]
    return {
        name: torch.stack([change(true[..., ring], maps[..., ring]) for ring in rings]) for name, maps in found.items()
    }


def _ring(side: int, distance: int) -> Tensor:
    """Which positions [side, side] are so far from the border."""
    along = torch.minimum(torch.arange(side), torch.arange(side).flip(0))
    return torch.minimum(along[:, None], along) == distance


def _uses_picture() -> Picture:
    with drawing.figure(1, 2, 2.4) as (drawn, axes):
        for ax, padding, title in ((axes[0, 0], 0, "no padding"), (axes[0, 1], RADIUS, "four zeros around")):
            image = ax.imshow(uses(24, SIZE, padding).numpy(), cmap="viridis", vmin=1, vmax=SIZE**2)
            ax.set_title(title)
            ax.set_axis_off()
        drawn.colorbar(image, ax=axes, shrink=0.85, ticks=[1, 25, 50, 81], label="units")
        caption = "How many units of a 9x9 filter each pixel of an image of 24x24 bears on."
        return Picture("lecture-06-uses", drawing.png(drawn), caption)


def _border_picture(errors: Mapping[str, Tensor]) -> Picture:
    with drawing.figure() as (drawn, axes):
        ax = axes[0, 0]
        for (name, rings), style in zip(errors.items(), ("s-", "o-", "^-"), strict=True):
            ax.plot(RINGS, rings.mean(1), style, label=name, clip_on=False)
        ax.set_xlabel("distance from the border, pixels")
        ax.set_ylabel("change of a unit")
        ax.set_xlim(0, RINGS[-1])
        ax.set_ylim(0, 1.1)
        ax.legend(title="beyond the border")
        caption = "How wrong padded units are, against what they would be if the photograph went on."
        return Picture("lecture-06-border", drawing.png(drawn), caption)
