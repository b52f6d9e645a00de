"""lecture-09: max pooling passes gradient to the winner only, mean pooling 1/m^2 to each; a convolution's gradient."""

import torch
from torch import Tensor

from audit.instruments.convolution_steps import gradients
from audit.instruments.pooling_gradient import gradient, shares
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section
from audit.lecture.stage import Function, filtered
from multistage.layers import average_pool, filter_bank, max_pool, rectify
from multistage.network.randomness import generator
from multistage.records.intervals import Measured

COUNT = 10
WINDOW, STEP = 10, 5
INSIDE = slice(24, -24)
"""Off the zeros beside an image, where all inputs of a window are equal."""

TEXT = (
    "On the maps that {filters} learned filters and the absolute value make of {images} Caltech-101 images, a "
    "gradient of one was given to pooled units whose windows do not overlap, and looked for at their inputs. Max "
    "pooling over 5x5 hands all of it to one input, a largest one, in {winners:.0f} of {windows:,} windows, so that "
    "{reached_max:.1f} of all inputs get any. Mean pooling reaches {reached_mean:.0f}; of a window of 10x10 each "
    "input gets {share:.3f}, which is `1/m^2` to within {share_error:.1g}. Where windows overlap, as the paper's do, "
    "shares add up: {overlap:.2f} for every input inside the map. The lecture leaves out ties: with the positive part "
    "in place of the absolute value, {ties:.1f} of the windows hold nothing but zeros, all equal, and the first of "
    "them gets the gradient (with the absolute value, {ties_abs:.2g} have a tie). For the convolution, gradients "
    "written out tap by tap equal those of this repository's filter bank to within {by_map:.1g} (by the map: the "
    "gradient that arrives, convolved over the border with the flipped kernel) and {by_kernel:.1g} (by the kernel: "
    "the map correlated with it, flipped), in float64."
)


def section(material: Material) -> Section:
    """Send gradient back."""
    x = material.images("caltech101", COUNT)[..., INSIDE, INSIDE]
    kernels = material.filters("psd", False).after[::4]
    with torch.no_grad():
        responses = filtered(kernels)(x)
        maps = rectify(responses)
    of_max = shares(lambda m: max_pool(m, STEP), maps, STEP, STEP)
    of_mean = shares(lambda m: average_pool(m, WINDOW, STEP), maps.double(), WINDOW, STEP)
    overlapping = gradient(lambda m: average_pool(m, WINDOW, STEP), maps.double())[..., WINDOW:-WINDOW, WINDOW:-WINDOW]
    by_map, by_kernel = _convolution_errors(x[0, 0].double(), kernels[0].double())
    return Section(
        claim="lecture-09",
        title="Max pooling passes gradient to the winner only, mean pooling the same to each",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "Caltech-101 images"),
            "filters": Measured(len(kernels), "learned filters, every fourth of the bank"),
            "windows": Measured(len(of_max.reached), "windows of 5x5"),
            "winners": Measured(100 * of_max.winners, "windows in which the largest input gets all", "%"),
            "reached_max": Measured(_reached(lambda m: max_pool(m, STEP), maps), "inputs that get any, max 5x5", "%"),
            "reached_mean": Measured(_reached(lambda m: average_pool(m, STEP, STEP), maps), "the same, mean 5x5", "%"),
            "share": Measured(float(of_mean.largest.mean()), "share of each input, mean pooling over 10x10"),
            "share_error": Measured(
                float((of_mean.largest - 1 / WINDOW**2).abs().max()), "largest difference of a share from 1/m^2"
            ),
            "overlap": Measured(float(overlapping.mean()), "gradient of an input, mean pooling over 10x10 every 5"),
            "overlap_spread": Measured(float(overlapping.std()), "standard deviation of that over inputs"),
            "ties": Measured(
                _ties(responses.relu(), responses), "windows of 5x5 with several largest values, ReLU", "%"
            ),
            "ties_abs": Measured(_ties(maps, responses), "windows of 5x5 with several largest values, abs", "%"),
            "by_map": Measured(by_map, "largest difference of gradients by the map, tap by tap against the layer"),
            "by_kernel": Measured(by_kernel, "largest difference of gradients by the kernel"),
        },
        pictures=[_picture(maps[2, 1])],
    )


def _reached(pool: Function, maps: Tensor) -> float:
    """Share of inputs that get any gradient, of those that some window sees, %."""
    side = maps.shape[-1] // STEP * STEP
    return 100 * float((gradient(pool, maps)[..., :side, :side] != 0).double().mean())


def _ties(maps: Tensor, responses: Tensor) -> float:
    """Share of windows whose largest value occurs more than once, of those where responses are not flat, %."""
    windows, before = (m.unfold(2, STEP, STEP).unfold(3, STEP, STEP).flatten(4) for m in (maps, responses))
    tied = (windows == windows.amax(-1, keepdim=True)).sum(-1) > 1
    return 100 * float(tied[before.amax(-1) > before.amin(-1)].double().mean())


def _convolution_errors(x: Tensor, k: Tensor) -> tuple[float, float]:
    """Largest differences between gradients written out and those of the filter bank, by the map and by the kernel."""
    x, k = x.clone().requires_grad_(), k.clone().requires_grad_()
    y = filter_bank(x[None, None], k[None, None], squash="none")[0, 0]
    upstream = torch.randn(y.shape, generator=generator(0, "upstream"), dtype=y.dtype)
    torch.autograd.backward(y, upstream)
    written = gradients(x.detach(), k.detach(), upstream)
    assert x.grad is not None
    assert k.grad is not None
    by_map, by_kernel = (float((a - b).abs().max()) for a, b in zip(written, (x.grad, k.grad), strict=True))
    return by_map, by_kernel


def _picture(one: Tensor) -> Picture:
    piece = one[None, None, 20:55, 20:55]
    of_max = gradient(lambda m: max_pool(m, STEP), piece)
    of_mean = gradient(lambda m: average_pool(m, WINDOW, STEP), piece)
    with drawing.figure(1, 3, 1.72) as (drawn, axes):
        drawing.gray(axes[0, 0], piece[0, 0], "a map", low=0)
        drawing.gray(axes[0, 1], of_max[0, 0], "gradient, max", low=0)
        drawing.gray(axes[0, 2], of_mean[0, 0], "gradient, mean", low=0)
        return Picture(
            "lecture-09-gradients",
            drawing.png(drawn),
            "Part of a map, 35x35, and where the gradient of all its pooled units goes: to one input a window (max, "
            "5x5), and to all alike, but for the sides where fewer windows overlap (mean, 10x10 every five).",
        )
