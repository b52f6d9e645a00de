"""lecture-05: convolution with k is correlation with the flipped W; the worked example."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from audit.instruments.convolution_steps import Step, convolved, flipped, steps
from audit.instruments.invariance import change
from audit.lecture import Found, Material, Table, drawing
from audit.lecture.stage import sums

IMAGE = torch.tensor([[0.0, 80, 40], [20, 40, 0], [0, 0, 40]])
KERNEL = torch.tensor([[0, 0.25], [0.5, 1]])
RESULT = torch.tensor([[45.0, 110], [40, 40]])
"""The lecture's worked example."""

COUNT, SIDE = 20, 24


def measure(material: Material) -> Found:
    """Compute the worked example, then the same on real images."""
    kernels = material.learned()
    x = material.images("caltech101", COUNT)
    margin = (x.shape[-1] - SIDE) // 2
    patch = x[0, 0, margin : margin + SIDE, margin : margin + SIDE].double()
    by_hand = torch.stack([convolved(patch, k.double()) for k in kernels])
    with_w, with_k = (change(sums(x, kernels), F.conv2d(x, w[:, None])) for w in (flipped(kernels), kernels))
    example = list(steps(IMAGE, KERNEL))
    return Found(
        {
            "example": float((convolved(IMAGE, KERNEL) - RESULT).abs().max()),
            "filters": len(kernels),
            "images": COUNT,
            "by_hand": float((sums(patch[None, None], kernels.double())[0] - by_hand).abs().max()),
            "with_w": with_w,
            "with_k": with_k,
        },
        pictures={"example": _example(example)},
        tables={"steps": _steps(example)},
    )


@drawing.picture(1, 4, 1.6, width_ratios=[3, 2, 2, 2])
def _example(axes: drawing.Axes, found: Sequence[Step]) -> None:
    result = torch.tensor([step.total for step in found]).view(2, 2)
    drawing.numbers(axes[0], IMAGE, "map x", [(row, column) for row in (0, 1) for column in (0, 1)])
    drawing.numbers(axes[1], KERNEL, "kernel k")
    drawing.numbers(axes[2], flipped(KERNEL), "W, flipped")
    drawing.numbers(axes[3], result, "k * x", [(0, 0)])


def _steps(found: Sequence[Step]) -> Table:
    weights = flipped(KERNEL).flatten().tolist()
    rows = []
    for step in found:
        products = zip(step.window.flatten().tolist(), weights, strict=True)
        written = " + ".join(f"{value:g}·{weight:g}" for value, weight in products)
        rows.append((f"row {step.row + 1}, column {step.column + 1}", written, step.total))
    return Table(["position", "what lies below W, times W", "sum"], rows, "g")
