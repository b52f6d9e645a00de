"""lecture-05: convolution with k is correlation with the flipped W; the worked example."""

import torch
import torch.nn.functional as F
from torch import Tensor

from audit.instruments.convolution_steps import Step, convolved, flipped, steps
from audit.instruments.invariance import change
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section, Table
from multistage.layers import filter_bank
from multistage.records.intervals import Measured, mean_of

IMAGE = torch.tensor([[0.0, 80, 40], [20, 40, 0], [0, 0, 40]])
KERNEL = torch.tensor([[0, 0.25], [0.5, 1]])
RESULT = torch.tensor([[45.0, 110], [40, 40]])
"""The lecture's worked example."""

COUNT, SIDE = 20, 24

TEXT = (
    "The lecture's worked example, a map of 3x3 convolved with a kernel of 2x2, comes out exactly (largest "
    "difference: {example:.0f}): turn k by half a turn, which gives W, lay W over the map, multiply, add up, move on. "
    "On real data, this repository's first stage, which holds k, was compared with that procedure, done a position at "
    "a time in float64, on the middle of a Caltech-101 image with {filters} learned filters: the largest difference "
    "is {by_hand:.1g}. Torch's `conv2d` is a correlation. On {images} whole images it gives the same as convolution "
    "if it is handed W (a difference of {with_w:.1g} on the page's scale), and something else if it is handed k "
    "unflipped: {with_k:.2f} for these filters, as different as unrelated responses. The difference matters for "
    "formulas, not for learning: filters that are learned come out flipped."
)


def section(material: Material) -> Section:
    """Compute the example, then the same on real images."""
    kernels = material.filters("psd", False).after
    x = material.images("caltech101", COUNT)
    margin = (x.shape[-1] - SIDE) // 2
    patch = x[0, 0, margin : margin + SIDE, margin : margin + SIDE].double()
    layer = filter_bank(patch[None, None], kernels[:, None].double(), squash="none")[0]
    by_hand = torch.stack([convolved(patch, k.double()) for k in kernels])
    ours = filter_bank(x, kernels[:, None], squash="none")
    with_w, with_k = (change(ours, F.conv2d(x, w[:, None])) for w in (flipped(kernels), kernels))
    return Section(
        claim="lecture-05",
        title="Convolution with k is correlation with the flipped kernel W",
        text=TEXT,
        measured={
            "example": Measured(
                float((convolved(IMAGE, KERNEL) - RESULT).abs().max()), "largest difference from the worked example"
            ),
            "filters": Measured(len(kernels), "learned filters"),
            "images": Measured(COUNT, "Caltech-101 images"),
            "by_hand": Measured(
                float((layer - by_hand).abs().max()),
                "largest difference of the layer from convolution by hand, float64",
            ),
            "with_w": mean_of(with_w.tolist(), "change between convolution with k and correlation with W"),
            "with_k": mean_of(with_k.tolist(), "change between convolution with k and correlation with k"),
        },
        pictures=[_picture(list(steps(IMAGE, KERNEL)))],
        tables=[_table(list(steps(IMAGE, KERNEL)))],
    )


def _picture(found: list[Step]) -> Picture:
    with drawing.figure(1, 4, 1.6, width_ratios=[3, 2, 2, 2]) as (drawn, axes):
        result = torch.tensor([step.total for step in found]).view(2, 2)
        below = [(row, column) for row in (0, 1) for column in (0, 1)]
        drawing.numbers(axes[0, 0], IMAGE, "map x", below)
        drawing.numbers(axes[0, 1], KERNEL, "kernel k")
        drawing.numbers(axes[0, 2], flipped(KERNEL), "W, flipped")
        drawing.numbers(axes[0, 3], result, "k * x", [(0, 0)])
        return Picture(
            "lecture-05-example",
            drawing.png(drawn),
            "The worked example; W lies over the shaded part of the map and gives the shaded result.",
        )


def _table(found: list[Step]) -> Table:
    def sums(step: Step) -> str:
        weights: Tensor = flipped(KERNEL)
        pairs = zip(step.window.flatten().tolist(), weights.flatten().tolist(), strict=True)
        return " + ".join(f"{value:g}·{weight:g}" for value, weight in pairs)

    rows = [[f"row {step.row + 1}, column {step.column + 1}", sums(step), f"{step.total:g}"] for step in found]
    return Table(["position", "what lies below W, times W", "sum"], rows, "Step by step.")
