"""lecture-08: pooling gives invariance to local translation, and fewer units."""

from collections.abc import Mapping

import torch
from torch import Tensor

from audit.instruments.invariance import moved, translation_error
from audit.lecture import Found, Material, Table, drawing
from audit.lecture.material import PAPER
from audit.lecture.stage import Function, accuracy, chain, framed, operations, random_like, shifted
from multistage.layers import average_pool, max_pool

COUNT, DIGITS = 20, 300
SHIFTS, ROOM = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20), 20
WINDOWS = (1, 5, 10, 20)
DIGIT_SHIFTS = (0, 1, 2, 3, 4, 6)
POOLS = {"mean": average_pool, "max": max_pool}


def measure(material: Material) -> Found:
    """Shift images and measure how the same units change."""
    x = material.images("caltech101", COUNT)
    learned = material.learned(4)
    pooled = {(name, window): _pooled(learned, name, window) for name in POOLS for window in WINDOWS}
    curves = {
        key: torch.stack([translation_error(f, x, (0, shift), ROOM) for shift in SHIFTS]) for key, f in pooled.items()
    }  # [shifts, images]
    random = {name: translation_error(_pooled(random_like(learned), name, 10), x, (0, 5), ROOM) for name in POOLS}
    digits, labels = material.images("mnist", DIGITS), material.labels("mnist", DIGITS)
    right = {
        model: [100 * accuracy(material.trained(model), shifted(digits, by), labels) for by in DIGIT_SHIFTS]
        for model in material.presets()
    }
    before, after = (
        translation_error(net.stages, framed(digits, 2), (0, 1), 4)
        for net in (material.untrained(PAPER), material.trained(PAPER))
    )
    one, five = map(SHIFTS.index, (1, 5))
    return Found(
        {
            "images": COUNT,
            "digits": DIGITS,
            "filters": len(learned),
            "none_one": curves["mean", 1][one],
            "mean_one": curves["mean", 10][one],
            "max_one": curves["max", 10][one],
            "mean_five": curves["mean", 10][five],
            "max_five": curves["max", 10][five],
            "mean_wide": curves["mean", 20][five],
            "max_wide": curves["max", 20][five],
            "mean_five_random": random["mean"],
            "max_five_random": random["max"],
            "exact": _exact(pooled["max", 10], x),
            "exact_mean": _exact(pooled["mean", 10], x),
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


def _pooled(kernels: Tensor, name: str, window: int) -> Function:
    """Pool rectified maps with windows that overlap by half."""
    return chain(operations(kernels)["F-R_abs"], lambda x: POOLS[name](x, window, max(window // 2, 1)))


def _exact(f: Function, x: Tensor) -> list[float]:
    """Return the fraction of units that a shift of one pixel leaves unchanged, by image, %."""
    before, after = map(f, moved(x, (0, 1), ROOM))
    alive = before != 0  # units in the zero borders cannot change
    return [100 * float((a == b)[where].double().mean()) for a, b, where in zip(before, after, alive, strict=True)]


@drawing.picture(1, 2, 2.9, sharey=True)
def _curves(axes: drawing.Axes, curves: Mapping[tuple[str, int], Tensor]) -> None:
    for ax, name in zip(axes, POOLS, strict=True):
        named = {"none" if window == 1 else f"{window}x{window}": curves[name, window] for window in WINDOWS}
        drawing.lines(ax, SHIFTS, named, ("o-", "s-", "D-", "^-"), markersize=3.5)
        ax.set(title=f"{name} pooling", xlabel="shift, pixels", ylim=(0, 1.1), xlim=(0, ROOM))
    axes[0].set_ylabel("change of a unit")
    drawing.shared_legend(axes, "upper center", ncols=4, title="window")


def _table(right: Mapping[str, list[Tensor]]) -> Table:
    rows = [(model, *(float(values.mean()) for values in columns)) for model, columns in right.items()]
    return Table(["model", *(f"{shift} px" if shift else "as it is" for shift in DIGIT_SHIFTS)], rows, ".1f")
