"""lecture-08: pooling gives invariance to local translation, and fewer units."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from audit.instruments.invariance import moved, translation_error
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Found, Table
from audit.lecture.stage import Function, accuracy, chain, filtered, framed, random_kernels, shifted
from multistage.layers import average_pool, max_pool, rectify
from multistage.settings import composition

COUNT, DIGITS = 20, 300
SHIFTS, ROOM = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20), 20
WINDOWS = (1, 5, 10, 20)
PAPER = "abs_lcn_avgpool"
DIGIT_SHIFTS = (0, 1, 2, 3, 4, 6)
POOLS: Mapping[str, Callable[[Tensor, int, int], Tensor]] = {"mean": average_pool, "max": max_pool}


def measure(material: Material) -> Found:
    """Shift images below the same units."""
    x = material.images("caltech101", COUNT)
    learned = material.filters("psd", False).after[::4]
    maps = chain(filtered(learned), rectify)
    curves = {(name, window): _curve(_pooled(maps, name, window), x) for name in POOLS for window in WINDOWS}
    other = chain(filtered(random_kernels(len(learned), learned.shape[-1])), rectify)
    digits, labels = material.images("mnist", DIGITS), material.labels("mnist", DIGITS)
    right = {
        model: [100 * accuracy(material.trained(model), shifted(digits, by), labels) for by in DIGIT_SHIFTS]
        for model in composition.names("model")
    }
    before, after = (
        translation_error(net.stages, framed(digits, 2), (0, 1), 4)
        for net in (material.untrained(PAPER), material.trained(PAPER))
    )

    def at(name: str, window: int, shift: int) -> Tensor:
        return curves[name, window][SHIFTS.index(shift)]

    return Found(
        {
            "images": COUNT,
            "digits": DIGITS,
            "filters": len(learned),
            "none_one": at("mean", 1, 1),
            "mean_one": at("mean", 10, 1),
            "max_one": at("max", 10, 1),
            "mean_five": at("mean", 10, 5),
            "max_five": at("max", 10, 5),
            "mean_wide": at("mean", 20, 5),
            "max_wide": at("max", 20, 5),
            "mean_five_random": translation_error(_pooled(other, "mean", 10), x, (0, 5), ROOM),
            "max_five_random": translation_error(_pooled(other, "max", 10), x, (0, 5), ROOM),
            "exact": _exact(_pooled(maps, "max", 10), x),
            "exact_mean": _exact(_pooled(maps, "mean", 10), x),
            "unpooled": 64 * 135**2,
            "pooled": 64 * average_pool(torch.zeros(1, 1, 135, 135), 10, 5).numel(),
            "paper_before": before,
            "paper_after": after,
            "accuracy_still": right[PAPER][0],
            "accuracy_moved": right[PAPER][DIGIT_SHIFTS.index(4)],
        },
        pictures={"curves": _curves(curves)},
        tables={"accuracy": _table(right)},
    )


def _pooled(maps: Function, name: str, window: int) -> Function:
    """Maps pooled by windows that overlap by half."""
    return chain(maps, lambda x: POOLS[name](x, window, max(window // 2, 1)))


def _curve(f: Function, x: Tensor) -> Tensor:
    """Changes [shifts, images]."""
    return torch.stack([translation_error(f, x, (0, shift), ROOM) for shift in SHIFTS])


def _exact(f: Function, x: Tensor) -> list[float]:
    """Share of units that a shift of one pixel does not change at all, by image, %."""
    before, after = map(f, moved(x, (0, 1), ROOM))
    alive = before != 0  # in the zeros beside an image nothing can change
    return [100 * float((a == b)[where].double().mean()) for a, b, where in zip(before, after, alive, strict=True)]


@drawing.picture(1, 2, 2.9, sharey=True)
def _curves(axes: Any, curves: Mapping[tuple[str, int], Tensor]) -> None:
    for ax, name in zip(axes, POOLS, strict=True):
        for window, marker in zip(WINDOWS, "osD^", strict=True):
            label = "none" if window == 1 else f"{window}x{window}"
            ax.plot(SHIFTS, curves[name, window].mean(1), f"{marker}-", markersize=3.5, label=label)
        ax.set(title=f"{name} pooling", xlabel="shift, pixels", ylim=(0, 1.1), xlim=(0, ROOM))
    axes[0].set_ylabel("change of a unit")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside upper center", ncols=4, title="window")


def _table(right: Mapping[str, list[Tensor]]) -> Table:
    rows = [[model, *(f"{values.mean():.1f}" for values in columns)] for model, columns in right.items()]
    return Table(["model", *(f"{shift} px" if shift else "as it is" for shift in DIGIT_SHIFTS)], rows)
