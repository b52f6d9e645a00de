"""lecture-06: zero padding lets filters go over the border."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from audit.instruments.convolution_steps import uses
from audit.instruments.invariance import change
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Found
from audit.lecture.stage import Function, filtered

COUNT, SIDE = 40, 128
"""Photographs, and their side, pixels."""

SIZE, RADIUS = 9, 4
"""Of the filters, pixels."""

IMAGE = 143
"""Side of the paper's images, pixels."""

RINGS = range(7)
"""Distances from the border, pixels."""


def measure(material: Material) -> Found:
    """Count, then compare padded images with what was really there."""
    kernels = material.filters("psd", False).after
    photographs = material.photographs(COUNT, SIDE)
    x = (photographs - photographs.mean((2, 3), keepdim=True)) / photographs.std((2, 3), keepdim=True)
    frame = torch.ones(SIDE, SIDE, dtype=torch.bool)
    frame[RADIUS:-RADIUS, RADIUS:-RADIUS] = False
    in_frame = 100 * x.square()[..., frame].sum((1, 2)) / x.square().sum((1, 2, 3))
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
            "frame_energy": in_frame,
            "frame_area": 100 * float(frame.double().mean()),
            "zero_outer": errors["mean gray"][0],
            "zero_inner": errors["mean gray"][RADIUS],
            "black_outer": errors["black"][0],
            "mirror_outer": errors["mirrored"][0],
        },
        pictures={"uses": _uses(), "border": _border(errors)},
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


@drawing.picture(1, 2, 2.4)
def _uses(axes: Any) -> None:
    for ax, padding, title in zip(axes, (0, RADIUS), ("no padding", "four zeros around"), strict=True):
        image = ax.imshow(uses(24, SIZE, padding).numpy(), cmap="viridis", vmin=1, vmax=SIZE**2)
        ax.set_title(title)
        ax.set_axis_off()
    axes[0].figure.colorbar(image, ax=axes, shrink=0.85, ticks=[1, 25, 50, 81], label="units")


@drawing.picture()
def _border(ax: Any, errors: Mapping[str, Tensor]) -> None:
    for (name, rings), style in zip(errors.items(), ("s-", "o-", "^-"), strict=True):
        ax.plot(RINGS, rings.mean(1), style, label=name, clip_on=False)
    ax.set(xlabel="distance from the border, pixels", ylabel="change of a unit", xlim=(0, RINGS[-1]), ylim=(0, 1.1))
    ax.legend(title="beyond the border")
