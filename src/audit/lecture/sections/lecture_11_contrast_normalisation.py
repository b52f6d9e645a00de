"""lecture-11: contrast normalisation: local mean 0, local deviation 1; competition of neighbours and maps; scales."""

from typing import Any

import torch
from torch import Tensor

from audit.instruments.competition import Neighbours, response_ratio
from audit.instruments.local_statistics import (
    LECTURE_WINDOW,
    active,
    common_share,
    lecture_contrast_norm,
    local_statistics,
    on_floor,
    scale_spread,
)
from audit.lecture import Found, Material, Table, drawing, trials
from audit.lecture.section import Figure
from audit.lecture.stage import Function
from multistage.layers import local_contrast_norm

COUNT, WITH_MAPS, WITH_UNITS = 40, 8, 6
"""Numbers of photographs for measurements of one map, all maps, and single units."""

WINDOW, SMALL = 9, 1e-3
"""Side of the paper's window, pixels; the lecture's constant c."""

CROP = 56
"""Side of the maps in which single units are measured, pixels."""


def measure(material: Material) -> Found:
    """Measure before and after N: on one map, on many maps, and on single units."""
    photographs = material.photographs(COUNT)
    maps = _maps(material, material.images("caltech101", WITH_MAPS)[..., 24:-24, 24:-24])  # away from the zero borders
    normalised, statistics = _one_map(photographs / 255)
    ratios = _ratios(maps)
    return Found(
        {
            **_of_one_map(statistics, on_floor(photographs / 255, LECTURE_WINDOW)),
            **_of_all_maps(maps),
            "units": len(ratios["places"]),
            **ratios,
            **{f"{name}_less": int((ratio < 1).sum()) for name, ratio in ratios.items()},
            **_scales(material, photographs),
            **trials.settings(),
            **trials.compared(material, "abs_avgpool", "abs_lcn_avgpool", "n"),
        },
        pictures={
            "photographs": _photographs(normalised),
            "deviation": _deviations(statistics),
            "competition": _competition(ratios),
            "training": trials.curves(material, {"abs_avgpool": "without N", "abs_lcn_avgpool": "with N"}),
        },
        tables={"formulas": _formulas(maps)},
    )


def _one_map(x: Tensor) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, Tensor]]]:
    """Return photographs before N, after N with the lecture's c and with the paper's, with local mean and deviation."""
    found = {
        "before": x.double(),
        "small": lecture_contrast_norm(x, LECTURE_WINDOW, SMALL),
        "paper": local_contrast_norm(x.double(), LECTURE_WINDOW),
    }
    return found, {name: local_statistics(_inside(y, LECTURE_WINDOW), LECTURE_WINDOW) for name, y in found.items()}


def _inside(x: Tensor, kernel_size: int, cut: int = 0) -> Tensor:
    """Return positions that do not depend on zeros outside the map; with `cut`, only where a window fits in."""
    margin = kernel_size - 1 + cut
    return x[..., margin:-margin, margin:-margin]


def _by_image(x: Tensor) -> Tensor:
    return x.mean((1, 2, 3))


def _of_one_map(statistics: dict[str, tuple[Tensor, Tensor]], is_on_floor: Tensor) -> dict[str, Figure]:
    """Compute local statistics of photographs: one figure per image, then their mean."""
    floor, deviations = _inside(is_on_floor, LECTURE_WINDOW, 3), statistics["paper"][1]
    return {
        "photographs": COUNT,
        "photo_above": [float(deviation[~on].mean()) for deviation, on in zip(deviations, floor, strict=True)],
        "photo_floor": [float(deviation[on].mean()) for deviation, on in zip(deviations, floor, strict=True)],
        "photo_share": 100 * _by_image(floor.double()),
        **{f"photo_{name}": _by_image(deviation) for name, (_, deviation) in statistics.items()},
        **{f"mean_{name}": _by_image(mean.abs()) for name, (mean, _) in statistics.items()},
    }


def _maps(material: Material, images: Tensor) -> Tensor:
    """Return the input of N in the paper's first stage with random filters, [n, 64, height, width]."""
    stage = material.begun("stages=1").stages[0]
    maps: Tensor = stage.get_submodule("rectify")(stage.get_submodule("filter_bank")(images))
    return maps


def _of_all_maps(maps: Tensor) -> dict[str, Figure]:
    paper, lecture = local_contrast_norm(maps.double(), WINDOW), lecture_contrast_norm(maps, WINDOW, SMALL)
    mean, deviation = local_statistics(_inside(paper, WINDOW), WINDOW, across_maps=True)
    pairs = [torch.stack([a.flatten(), b.flatten()]) for a, b in zip(paper, lecture, strict=True)]
    return {
        "maps": maps.shape[1],
        "maps_after": _by_image(deviation),
        "maps_mean": _by_image(mean.abs()),
        "maps_share": 100 * _by_image(_inside(on_floor(maps, WINDOW), WINDOW).double()),
        "lecture_common": 100 * common_share(lecture),
        "paper_common": 100 * common_share(paper),
        "alike": [float(torch.corrcoef(pair)[0, 1]) for pair in pairs],
    }


def _ratios(maps: Tensor) -> dict[str, Tensor]:
    """Return what the strongest units keep with more active neighbours: same window, other maps, N by map."""
    crop = maps[:WITH_UNITS, :, :CROP, :CROP]
    units = [active(x, WINDOW) for x in crop]

    def kept(norm: Function, which: Neighbours) -> Tensor:
        return torch.cat([response_ratio(norm, x, some, which) for x, some in zip(crop, units, strict=True)])

    return {
        "places": kept(local_contrast_norm, "places"),
        "others": kept(local_contrast_norm, "maps"),
        "alone": kept(lambda x: local_contrast_norm(x, across_maps=False), "places"),
    }


def _scales(material: Material, photographs: Tensor) -> dict[str, Figure]:
    maps = _maps(material, (photographs - photographs.mean((1, 2, 3), keepdim=True)) / photographs.std())
    return {"spread_before": scale_spread(maps), "spread_after": scale_spread(local_contrast_norm(maps))}


def _formulas(maps: Tensor) -> Table:
    """Compare both formulas and both floors on the same maps."""
    rows = []
    for name, y in (
        ("paper: over maps and window, c = mean of sigma", local_contrast_norm(maps.double(), WINDOW)),
        ("the same, c small", local_contrast_norm(maps.double(), WINDOW, floor=SMALL)),
        ("each map alone, c = mean of sigma", local_contrast_norm(maps.double(), WINDOW, across_maps=False)),
        ("lecture: over the window, summed over maps, c small", lecture_contrast_norm(maps, WINDOW, SMALL)),
    ):
        mean, deviation = local_statistics(_inside(y, WINDOW), WINDOW, across_maps=True)
        common = 100 * float(common_share(y).mean())
        rows.append((name, float(mean.abs().mean()), float(deviation.mean()), f"{common:.1f}"))
    return Table(["formula", "size of local mean", "local deviation", "common energy, %"], rows, ".2f")


@drawing.picture(2, 3, 3.3)
def _photographs(axes: drawing.Axes, normalised: dict[str, Tensor]) -> None:
    titles = ("photograph", "N, c small", "N, c mean of sigma")
    for column, (title, (name, x)) in enumerate(zip(titles, normalised.items(), strict=True)):
        low, limit = (0.0, 1.0) if name == "before" else (-2.5, 2.5)
        drawing.gray(axes[0, column], x[len(x) // 8, 0], title, limit, low)
        drawing.gray(axes[1, column], x[len(x) // 2, 0], "", limit, low)


def _histogram(ax: drawing.Axes, values: Tensor, **look: Any) -> None:
    ax.hist(values.flatten().numpy(), histtype="step", linewidth=1.8, **look)


@drawing.picture(height=2.6)
def _deviations(ax: drawing.Axes, statistics: dict[str, tuple[Tensor, Tensor]]) -> None:
    looks = (("before", ":"), ("c small", "-"), ("c mean of sigma", "--"))
    for (_, deviation), (label, style) in zip(statistics.values(), looks, strict=True):
        _histogram(ax, deviation, bins=80, range=(0, 2), density=True, label=label, linestyle=style)
    ax.set(ylim=(0, 4), xlabel="local deviation", ylabel="density of positions")
    ax.legend()


@drawing.picture(height=2.5)
def _competition(ax: drawing.Axes, ratios: dict[str, Tensor]) -> None:
    looks = (("its window in the same map", "-"), ("the other maps", "--"), ("its window, N by each map", ":"))
    for ratio, (label, style) in zip(ratios.values(), looks, strict=True):
        _histogram(ax, ratio.clamp(0, 1.3), bins=65, range=(0, 1.3), label=label, linestyle=style)
    ax.axvline(1, **drawing.RULE)
    ax.set(xlabel="response kept", ylabel="units")
    ax.legend(loc="upper left", title="twice as active:", alignment="left")
