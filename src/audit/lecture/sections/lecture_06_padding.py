"""lecture-06: zero padding lets filters extend beyond the border."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from audit.instruments.convolution_steps import uses
from audit.instruments.invariance import change
from audit.lecture import Found, Material, drawing
from audit.lecture.stage import filtered

COUNT, SIDE = 40, 128
"""Number of photographs, and their side in pixels."""

SIZE, RADIUS = 9, 4
"""Sides of the filters, pixels."""

IMAGE = 143
"""Side of the paper's images, pixels."""

RINGS = range(7)
"""Distances from the border, pixels."""


def measure(material: Material) -> Found:
    """Count affected units, then compare padded images with the real surroundings."""
    kernels = material.learned()
    photographs = material.photographs(COUNT, SIDE)
    x = (photographs - photographs.mean((2, 3), keepdim=True)) / photographs.std((2, 3), keepdim=True)
    frame = _from_border(SIDE) < RADIUS
    errors = _errors(x, kernels)
    return Found(
        {
            "images": COUNT,
            "filters": len(kernels),
            "lost": 100 * (1 - ((IMAGE - 2 * RADIUS) / IMAGE) ** 2),
            "depth": (IMAGE - 1) // (2 * RADIUS),
            "corner_valid": int(uses(IMAGE, SIZE)[0, 0]),
            "corner_padded": int(uses(IMAGE, SIZE, RADIUS)[0, 0]),
            "centre": int(uses(IMAGE, SIZE)[71, 71]),
            "frame_energy": 100 * x.square()[..., frame].sum((1, 2)) / x.square().sum((1, 2, 3)),
            "frame_area": 100 * float(frame.double().mean()),
            "zero_outer": errors["mean gray"][0],
            "zero_inner": errors["mean gray"][RADIUS],
            "black_outer": errors["black"][0],
            "mirror_outer": errors["mirrored"][0],
        },
        pictures={"uses": _uses(), "border": _border(errors)},
    )


def _from_border(side: int) -> Tensor:
    """Return the distance of each position [side, side] from the border."""
    along = torch.minimum(torch.arange(side), torch.arange(side).flip(0))
    return torch.minimum(along[:, None], along)


def _errors(x: Tensor, kernels: Tensor) -> dict[str, Tensor]:
    """Measure how padding changes units on images of mean zero, per ring inwards, [rings, images], by border."""
    bank, cut, black = filtered(kernels), x[..., RADIUS:-RADIUS, RADIUS:-RADIUS], x.amin((1, 2, 3), keepdim=True)
    pad = [RADIUS] * 4
    padded = {
        "black": F.pad(cut - black, pad) + black,
        "mean gray": F.pad(cut, pad),
        "mirrored": F.pad(cut, pad, mode="reflect"),
    }
    true = bank(x)
    rings = [_from_border(true.shape[-1]) == distance for distance in RINGS]
    found = {name: bank(images) for name, images in padded.items()}
    return {
        name: torch.stack([change(true[..., ring], maps[..., ring]) for ring in rings]) for name, maps in found.items()
    }


@drawing.picture(1, 2, 2.4)
def _uses(axes: drawing.Axes) -> None:
    for ax, padding, title in zip(axes, (0, RADIUS), ("no padding", "four zeros around"), strict=True):
        image = ax.imshow(uses(24, SIZE, padding).numpy(), cmap="viridis", vmin=1, vmax=SIZE**2)
        ax.set_title(title)
        ax.set_axis_off()
    axes[0].figure.colorbar(image, ax=axes, shrink=0.85, ticks=[1, 25, 50, 81], label="units")


@drawing.picture()
def _border(ax: drawing.Axes, errors: Mapping[str, Tensor]) -> None:
    drawing.lines(ax, RINGS, errors, ("s-", "o-", "^-"), clip_on=False)
    ax.set(xlabel="distance from the border, pixels", ylabel="change of a unit", xlim=(0, RINGS[-1]), ylim=(0, 1.1))
    ax.legend(title="beyond the border")
