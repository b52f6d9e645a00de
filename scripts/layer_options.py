"""Draw the effect of each option of contrast normalisation on one photograph: the picture of docs/layer.md.

It shows Caltech-101's wild_cat/image_0012.jpg (CC BY 4.0): a bright animal in front of a dark cage.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from multistage.cli.ending import exit_code
from multistage.layers import LocalContrastNorm

N = LocalContrastNorm
Panel = tuple[str, str, Tensor]
"""What is typed, what is seen, and maps [1 or 3, height, width]: 0 to 255, or around 0 where a half is gray."""

WIDE, CORNER = 31, 48


def main() -> int:
    """Read the command line and draw; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path, help="a colour image of a few hundred pixels")
    parser.add_argument("output", type=Path, nargs="?", default=Path("docs/layer_options.png"), help="PNG to write")
    options = parser.parse_args()
    draw(pil_to_tensor(Image.open(options.image).convert("RGB")).float(), options.output)
    print(options.output)
    return 0


def draw(colour: Tensor, output: Path) -> None:
    """Draw rows of panels from an image, float32 [3, height, width], 0 to 255."""
    matplotlib.use("Agg")
    rows = {
        "window": windows(colour),
        "floor": floors(colour),
        "steps": steps(colour),
        "maps, mask": maps(colour),
        "border, in a corner": borders(colour),
    }
    high = 3.0 * colour.shape[1] / colour.shape[2] + 0.52
    figure, axes = plt.subplots(len(rows), 4, figsize=(12.4, high * len(rows)), dpi=90, facecolor="white")
    for line, (label, panels) in zip(axes, rows.items(), strict=True):
        line[0].text(-0.03, 0.5, label, transform=line[0].transAxes, rotation=90, ha="right", va="center", fontsize=14)
        for place, panel in zip(line, panels, strict=True):
            _show(place, panel)
    figure.subplots_adjust(left=0.035, right=0.998, top=0.964, bottom=0.004, wspace=0.03, hspace=0.225)
    figure.savefig(output, metadata={"Software": None})
    plt.close(figure)
    Image.open(output).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(output, optimize=True)


def windows(colour: Tensor) -> list[Panel]:
    """Of three sizes and two shapes."""
    gray = _gray(colour)
    return [
        ("x", f"the photograph, {gray.shape[2]} x {gray.shape[1]}", gray),
        ("kernel_size=9", "the default: fine texture", N()(gray)),
        (f"kernel_size={WIDE}", "larger shapes; the cage in the dark", N(WIDE)(gray)),
        ('window="box"', f"of {WIDE}: equal weights, wider halos", N(WIDE, window="box")(gray)),
    ]


def floors(colour: Tensor) -> list[Panel]:
    """What divides."""
    gray = _gray(colour)
    return [
        ("floor=0", "weak texture as strong as edges", N(WIDE, floor=0)(gray)),
        ('floor="mean"', "the default: weak texture stays weak", N(WIDE)(gray)),
        ("floor=100", "only strong contrast stays", N(WIDE, floor=100)(gray)),
        ('floor_mode="add"', "no switch at c: softer everywhere", N(WIDE, floor_mode="add")(gray)),
    ]


def steps(colour: Tensor) -> list[Panel]:
    """One of the two steps alone, and what they are taken with."""
    gray = _gray(colour)
    _, mean, deviation = N(WIDE, border="reflect", return_statistics=True)(gray)
    return [
        ("divide=False", "x less its local mean", N(WIDE, divide=False)(gray) / 45),
        ("subtract=False", "x over its local root mean square", _stretched(N(WIDE, subtract=False)(gray))),
        ("mean m", "by return_statistics=True", mean),
        ("deviation σ", "by return_statistics=True", _stretched(deviation)),
    ]


def maps(colour: Tensor) -> list[Panel]:
    """Which maps and which pixels belong together."""
    return [
        ("x", "the photograph, three maps", colour),
        ("groups=1", "m and σ over all maps: hues stay", N(WIDE, groups=1)(colour)),
        ("groups=3", "each map by itself: hues fade", N(WIDE, groups=3)(colour)),
        ("norm(x, mask)", "0 outside the disc, no frame at its rim", N(WIDE)(colour, _disc(colour))),
    ]


def borders(colour: Tensor) -> list[Panel]:
    """What lies outside: the lower left corner."""
    gray = _gray(colour)
    seen: dict[Any, str] = {
        "zero": "black outside: a bright frame",
        "renormalise": "nothing outside: no frame",
        "reflect": "the mirror image outside",
        "replicate": "the last pixel outside",
    }
    width = CORNER * gray.shape[2] // gray.shape[1]
    return [
        (f'border="{border}"', words, N(WIDE, border=border)(gray)[:, -CORNER:, :width])
        for border, words in seen.items()
    ]


def _show(axes: Axes, panel: Panel) -> None:
    typed, seen, values = panel
    if values.min() < 0:
        values = 127.5 + 127.5 * values / 3
    axes.imshow(values.clamp(0, 255).byte().permute(1, 2, 0).expand(-1, -1, 3), interpolation="nearest")
    axes.set_title(seen, fontsize=11, pad=4)
    axes.text(0.5, 1.11, typed, transform=axes.transAxes, ha="center", family="monospace", weight="bold", fontsize=11.5)
    axes.set_axis_off()


def _gray(colour: Tensor) -> Tensor:
    return colour.mean(0, keepdim=True)


def _stretched(positive: Tensor) -> Tensor:
    return 255 * positive / positive.max()


def _disc(image: Tensor) -> Tensor:
    height, width = image.shape[1:]
    y, x = torch.arange(height)[:, None] - height / 2, torch.arange(width) - width / 2
    return (y.square() + x.square() < (0.47 * min(height, width)) ** 2)[None]


if __name__ == "__main__":
    sys.exit(exit_code(main))
