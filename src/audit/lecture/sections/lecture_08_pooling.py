"""lecture-08: pooling gives invariance to local translation, and fewer units."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from audit.instruments.invariance import translation_error
from audit.instruments.transformations import moved
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section, Table
from audit.lecture.stage import Function, accuracy, chain, filtered, framed, random_kernels, rectified, shifted
from multistage.layers import average_pool, max_pool
from multistage.records.intervals import Measured, mean_of
from multistage.settings import composition

COUNT, DIGITS = 20, 300
SHIFTS, ROOM = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20), 20
WINDOWS = (1, 5, 10, 20)
DIGIT_SHIFTS = (0, 1, 2, 3, 4, 6)
POOLS: Mapping[str, Callable[[Tensor, int, int], Tensor]] = {"mean": average_pool, "max": max_pool}

TEXT = (
    "How much does a unit change when the image moves below it? {images} Caltech-101 images went through {filters} "
    "learned filters, tanh and absolute value, and the same units were read before and after a shift (zero: no "
    "change; one: as if the image were another). One pixel changes an unpooled unit by {none_one:.2f}; pooled over "
    "10x10 it changes by {mean_one:.2f} (mean) or {max_one:.2f} (max), at five pixels by {mean_five:.2f} or "
    "{max_five:.2f}. Invariance grows with the window (at five pixels, 20x20: {mean_wide:.2f} or {max_wide:.2f}) and "
    "is a matter of degree everywhere; over the same window, the mean has more of it than the maximum. What the "
    "maximum has is exactness: while the winner stays in its window and no better one comes in, nothing changes at "
    "all, which at one pixel holds for {exact:.0f} of the max-pooled units and {exact_mean:.1f} of the mean-pooled. "
    "Random filters give the same picture ({mean_five_random:.2f} or {max_five_random:.2f} at five pixels). Fewer "
    "units: pooling over 10x10 every five pixels leaves {pooled:,} of {unpooled:,}. In a network for MNIST, "
    "`abs_lcn_avgpool`, the last maps change by {paper_before:.2f} at one pixel before training and by "
    "{paper_after:.2f} after it ({digits} digits). Two pools over 2x2 do not make a classifier that ignores position: "
    "its accuracy is {accuracy_still:.0f}, and {accuracy_moved:.0f} when digits lie four pixels further right."
)


def section(material: Material) -> Section:
    """Shift images below the same units."""
    x = material.images("caltech101", COUNT)
    learned = material.filters("psd", False).after[::4]
    maps = chain(filtered(learned), rectified())
    curves = {(name, window): _curve(_pooled(maps, name, window), x) for name in POOLS for window in WINDOWS}
    other = chain(filtered(random_kernels(len(learned), learned.shape[-1])), rectified())
    digits, labels = material.images("mnist", DIGITS), material.labels("mnist", DIGITS)
    right = {
        model: [100 * accuracy(material.trained(model), shifted(digits, by), labels) for by in DIGIT_SHIFTS]
        for model in composition.names("model")
    }
    paper = "abs_lcn_avgpool"
    before, after = (
        translation_error(net.stages, framed(digits, 2), (0, 1), 4)
        for net in (material.untrained(paper), material.trained(paper))
    )

    def at(name: str, window: int, shift: int) -> Measured:
        what = f"change of units at a shift of {shift} px, {name} pooling over {window}x{window}"
        return mean_of(curves[name, window][SHIFTS.index(shift)].tolist(), what)

    def random(name: str) -> Measured:
        errors = translation_error(_pooled(other, name, 10), x, (0, 5), ROOM)
        return mean_of(errors.tolist(), f"change of units at 5 px, {name} pooling over 10x10, random filters")

    return Section(
        claim="lecture-08",
        title="Pooling gives invariance to local translation, and fewer units",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "Caltech-101 images"),
            "digits": Measured(DIGITS, "MNIST digits"),
            "filters": Measured(len(learned), "learned filters, every fourth of the bank"),
            "none_one": at("mean", 1, 1),
            "mean_one": at("mean", 10, 1),
            "max_one": at("max", 10, 1),
            "mean_five": at("mean", 10, 5),
            "max_five": at("max", 10, 5),
            "mean_wide": at("mean", 20, 5),
            "max_wide": at("max", 20, 5),
            "mean_five_random": random("mean"),
            "max_five_random": random("max"),
            "exact": _exact(_pooled(maps, "max", 10), x, "max-pooled units (10x10) that one pixel does not change"),
            "exact_mean": _exact(_pooled(maps, "mean", 10), x, "mean-pooled units (10x10) that it does not change"),
            "unpooled": Measured(64 * 135**2, "units of the first stage before pooling"),
            "pooled": Measured(64 * average_pool(torch.zeros(1, 1, 135, 135), 10, 5).numel(), "units after it"),
            "paper_before": mean_of(before.tolist(), f"change of the last maps at one pixel, untrained {paper}"),
            "paper_after": mean_of(after.tolist(), f"change of the last maps at one pixel, trained {paper}"),
            "accuracy_still": mean_of(right[paper][0].tolist(), f"accuracy of {paper} on digits as they are", "%"),
            "accuracy_moved": mean_of(
                right[paper][DIGIT_SHIFTS.index(4)].tolist(), f"accuracy of {paper} on digits moved by 4 pixels", "%"
            ),
        },
        pictures=[_picture(curves)],
        tables=[_table(right)],
    )


def _pooled(maps: Function, name: str, window: int) -> Function:
    """Maps pooled by windows that overlap by half."""
    return chain(maps, lambda x: POOLS[name](x, window, max(window // 2, 1)))


def _curve(f: Function, x: Tensor) -> Tensor:
    """Changes [shifts, images]."""
    return torch.stack([translation_error(f, x, (0, shift), ROOM) for shift in SHIFTS])


def _exact(f: Function, x: Tensor, what: str) -> Measured:
    before, after = map(f, moved(x, (0, 1), ROOM))
    alive = before != 0  # in the zeros beside an image nothing can change
    shares = [100 * float((a == b)[where].double().mean()) for a, b, where in zip(before, after, alive, strict=True)]
    return mean_of(shares, what, "%")


def _picture(curves: Mapping[tuple[str, int], Tensor]) -> Picture:
    with drawing.figure(1, 2, 2.9, sharey=True) as (drawn, axes):
        for ax, name in zip(axes[0], POOLS, strict=True):
            for window, marker in zip(WINDOWS, "osD^", strict=True):
                label = "none" if window == 1 else f"{window}x{window}"
                ax.plot(SHIFTS, curves[name, window].mean(1), f"{marker}-", markersize=3.5, label=label)
            ax.set_title(f"{name} pooling")
            ax.set_xlabel("shift, pixels")
            ax.set_ylim(0, 1.1)
            ax.set_xlim(0, ROOM)
        axes[0, 0].set_ylabel("change of a unit")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=4, title="window")
        return Picture(
            "lecture-08-curves",
            drawing.png(drawn),
            "Change of the same units when the image moves below them: zero is perfect invariance, one another image.",
        )


def _table(right: Mapping[str, list[Tensor]]) -> Table:
    rows = [[model, *(f"{values.mean():.1f}" for values in columns)] for model, columns in right.items()]
    heads = ["model", *(f"{shift} px" if shift else "as it is" for shift in DIGIT_SHIFTS)]
    return Table(
        heads, rows, "Accuracy of trained MNIST networks on {digits} test digits that lie further right, in %."
    )
