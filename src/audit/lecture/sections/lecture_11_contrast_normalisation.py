"""lecture-11: contrast normalisation: local mean 0, local deviation 1; neighbours and maps compete; scales."""

from typing import Any

import torch
from torch import Tensor

from audit.instruments.competition import response_ratio
from audit.instruments.local_statistics import (
    LECTURE_WINDOW,
    active,
    common_share,
    lecture_contrast_norm,
    local_statistics,
    on_floor,
    scale_spread,
)
from audit.lecture import drawing, trials
from audit.lecture.material import Material
from audit.lecture.section import Figure, Found, Table
from multistage.layers import local_contrast_norm
from multistage.settings.tree import parse
from multistage.train.restore import make_network

COUNT, WITH_MAPS, WITH_UNITS = 40, 8, 6
"""Photographs of which one map, all maps, or single units are looked at."""

WINDOW, SMALL = 9, 1e-3
"""Of the paper's N, pixels; the lecture's c."""

CROP = 56
"""Pixels of the maps in which single units are looked at."""

LINE: dict[str, Any] = {"histtype": "step", "linewidth": 1.8}


def measure(material: Material) -> Found:
    """Measure before and after N, on one map, on many, and unit by unit."""
    photographs = material.photographs(COUNT) / 255
    floors: dict[str, Tensor] = {
        "before": photographs.double(),
        "small": lecture_contrast_norm(photographs, LECTURE_WINDOW, SMALL),
        "paper": local_contrast_norm(photographs.double(), LECTURE_WINDOW),
    }
    floor = _inside(on_floor(photographs, LECTURE_WINDOW), LECTURE_WINDOW, 3)
    one_map = {name: local_statistics(_inside(x, LECTURE_WINDOW), LECTURE_WINDOW) for name, x in floors.items()}
    maps = _maps(material, material.images("caltech101", WITH_MAPS)[..., 24:-24, 24:-24])  # off the zeros at the sides
    ratios = _ratios(maps)
    return Found(
        {
            **_one_map(one_map, floor),
            **_all_maps(maps),
            **_units(ratios),
            **_scales(material),
            **trials.settings(),
            **trials.compared(material, "abs_avgpool", "abs_lcn_avgpool", "n"),
        },
        pictures={
            "photographs": _photographs(floors),
            "deviation": _deviations(one_map),
            "competition": _competition(ratios),
            "training": trials.curves(material, {"abs_avgpool": "without N", "abs_lcn_avgpool": "with N"}),
        },
        tables={"formulas": _formulas(maps)},
    )


def _inside(x: Tensor, kernel_size: int, cut: int = 0) -> Tensor:
    """Positions on which zeros outside the map have no bearing; with `cut`, of these only where a window fits in."""
    margin = kernel_size - 1 + cut
    return x[..., margin:-margin, margin:-margin]


def _one_map(found: dict[str, tuple[Tensor, Tensor]], floor: Tensor) -> dict[str, Figure]:
    """Local statistics of photographs: one figure an image, then their mean."""
    on_floor, above = (
        [float(deviation[on].mean()) for deviation, on in zip(found["paper"][1], where, strict=True)]
        for where in (floor, ~floor)
    )
    return {
        "photographs": COUNT,
        "photo_above": above,
        "photo_floor": on_floor,
        "photo_share": 100 * _by_image(floor.double()),
        **{f"photo_{name}": _by_image(deviation) for name, (_, deviation) in found.items()},
        **{f"mean_{name}": _by_image(mean.abs()) for name, (mean, _) in found.items()},
    }


def _by_image(x: Tensor) -> Tensor:
    return x.mean((1, 2, 3))


def _maps(material: Material, images: Tensor) -> Tensor:
    """What N is given in the first stage of the paper's network with random filters, [n, 64, height, width]."""
    stage = make_network(parse(material.config("data=caltech101", "stages=1")), 102).stages[0].requires_grad_(False)
    maps: Tensor = stage.get_submodule("rectify")(stage.get_submodule("filter_bank")(images))
    return maps


def _all_maps(maps: Tensor) -> dict[str, Figure]:
    paper, lecture = local_contrast_norm(maps.double(), WINDOW), lecture_contrast_norm(maps, WINDOW, SMALL)
    mean, deviation = local_statistics(_inside(paper, WINDOW), WINDOW, across_maps=True)
    alike = [
        torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()
        for a, b in zip(paper, lecture, strict=True)
    ]
    return {
        "maps": maps.shape[1],
        "maps_after": _by_image(deviation),
        "maps_mean": _by_image(mean.abs()),
        "maps_share": 100 * _by_image(_inside(on_floor(maps, WINDOW), WINDOW).double()),
        "lecture_common": 100 * common_share(lecture),
        "paper_common": 100 * common_share(paper),
        "alike": alike,
    }


def _ratios(maps: Tensor) -> dict[str, Tensor]:
    """Of each strongest unit, what it keeps with more active neighbours: same window, other maps, N by map."""
    crop = maps[:WITH_UNITS, :, :CROP, :CROP]
    kept: dict[str, list[Tensor]] = {"places": [], "others": [], "alone": []}
    for x in crop:
        units = active(x, WINDOW)
        kept["places"].append(response_ratio(local_contrast_norm, x, units, "places"))
        kept["others"].append(response_ratio(local_contrast_norm, x, units, "maps"))
        kept["alone"].append(response_ratio(lambda y: local_contrast_norm(y, across_maps=False), x, units, "places"))
    return {name: torch.cat(values) for name, values in kept.items()}


def _units(ratios: dict[str, Tensor]) -> dict[str, Figure]:
    less = {f"{name}_less": int((ratio < 1).sum()) for name, ratio in ratios.items()}
    return {"units": len(ratios["places"]), **ratios, **less}


def _scales(material: Material) -> dict[str, Figure]:
    photographs = material.photographs(COUNT)
    maps = _maps(material, (photographs - photographs.mean((1, 2, 3), keepdim=True)) / photographs.std())
    return {"spread_before": scale_spread(maps), "spread_after": scale_spread(local_contrast_norm(maps))}


def _formulas(maps: Tensor) -> Table:
    """Both formulas and both floors on the same maps."""
    rows = []
    for name, y in (
        ("paper: over maps and window, c = mean of sigma", local_contrast_norm(maps.double(), WINDOW)),
        ("the same, c small", local_contrast_norm(maps.double(), WINDOW, floor=SMALL)),
        ("each map alone, c = mean of sigma", local_contrast_norm(maps.double(), WINDOW, across_maps=False)),
        ("lecture: over the window, summed over maps, c small", lecture_contrast_norm(maps, WINDOW, SMALL)),
    ):
        mean, deviation = local_statistics(_inside(y, WINDOW), WINDOW, across_maps=True)
        row = (mean.abs().mean().item(), deviation.mean().item(), 100 * common_share(y).mean().item())
        rows.append([name, f"{row[0]:.2f}", f"{row[1]:.2f}", f"{row[2]:.1f}"])
    return Table(["formula", "size of local mean", "local deviation", "common energy, %"], rows)


@drawing.picture(2, 3, 3.3)
def _photographs(axes: Any, floors: dict[str, Tensor]) -> None:
    titles = {"before": "photograph", "small": "N, c small", "paper": "N, c mean of sigma"}
    count = len(floors["before"])
    for line, image in enumerate((count // 8, count // 2)):
        for ax, (name, x) in zip(axes[line], floors.items(), strict=True):
            limits = {"limit": 1.0, "low": 0.0} if name == "before" else {"limit": 2.5}
            drawing.gray(ax, x[image, 0], "" if line else titles[name], **limits)


@drawing.picture(height=2.6)
def _deviations(ax: Any, found: dict[str, tuple[Tensor, Tensor]]) -> None:
    labels = {"before": "before", "small": "c small", "paper": "c mean of sigma"}
    for (name, (_, deviation)), style in zip(found.items(), (":", "-", "--"), strict=True):
        look = {"bins": 80, "range": (0, 2), "density": True, "label": labels[name], "linestyle": style, **LINE}
        ax.hist(deviation.flatten().numpy(), **look)
    ax.set(ylim=(0, 4), xlabel="local deviation", ylabel="density of positions")
    ax.legend()


@drawing.picture(height=2.5)
def _competition(ax: Any, ratios: dict[str, Tensor]) -> None:
    labels = {"places": "its window in the same map", "others": "the other maps", "alone": "its window, N by each map"}
    for (name, ratio), style in zip(ratios.items(), ("-", "--", ":"), strict=True):
        ax.hist(ratio.clamp(0, 1.3).numpy(), bins=65, range=(0, 1.3), label=labels[name], **LINE, linestyle=style)
    ax.axvline(1, color="#555555", linewidth=1)
    ax.set(xlabel="response kept", ylabel="units")
    ax.legend(loc="upper left", title="twice as active:", alignment="left")
