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
from audit.lecture.section import Picture, Section, Table
from multistage.layers import local_contrast_norm
from multistage.records.intervals import Measured, mean_of
from multistage.settings.tree import parse
from multistage.train.restore import make_network

COUNT, WITH_MAPS, WITH_UNITS = 40, 8, 6
"""Photographs of which one map, all maps, or single units are looked at."""

WINDOW, SMALL = 9, 1e-3
"""Of the paper's N, pixels; the lecture's c."""

CROP = 56
"""Pixels of the maps in which single units are looked at."""

LINE: dict[str, Any] = {"histtype": "step", "linewidth": 1.8}

TEXT = (
    "Contrast normalisation subtracts from each value its local mean and divides by its local deviation, but "
    "never by less than a floor c. On {photographs} photographs of Caltech-101 (gray values from zero to one), "
    "under the lecture's Gaussian window of 7x7 and with c a small constant, local deviation goes from "
    "{photo_before:.3f} to {photo_small:.2f}, and the size of the local mean from {mean_before:.2f} to "
    "{mean_small:.2f}: near one, and much nearer to zero than it was, but neither exactly, because each value is "
    "centred by the mean around itself and not by that of the window it is in. With the paper's c, the mean of "
    "sigma over the image, local deviation is {photo_above:.2f} where sigma exceeds c and {photo_floor:.2f} on "
    "the {photo_share:.0f} of positions that sit on the floor: noise in flat regions is not blown up to one, "
    "which is what c is for. After {maps} random filters and `R_abs`, with the paper's 9x9 window over all maps, "
    "it is {maps_after:.2f} ({maps_share:.0f} on the floor) around a mean of size {maps_mean:.2f}. Neighbours "
    "inhibit: the strongest unit of a map keeps {places:.2f} of its response when its window in the same map is "
    "twice as active, and {others:.2f} when the other maps at its position are; {places_less:,} and "
    "{others_less:,} of {units:,} such units respond less. So maps do compete. The window in a unit's own map "
    "counts for more with N by each map alone: {alone:.2f}. Scales become alike: the strength of all maps varies "
    "over photographs by {spread_before:.2f} before N and {spread_after:.2f} after it (standard deviation). "
    "Better for learning? On digits the loss after {steps} steps differs, with N minus without, by {n_slow:+.2f} "
    "± {n_slow_half:.2f} at a rate of {slow_rate:g}, and by {n_equal:+.2f} ± {n_equal_half:.2f} at the usual "
    "{rate:g}: N spares a larger rate, and where that is there its gain is in doubt. The lecture's formula sums "
    "over all maps with weights that sum to one over the window alone. On one map that is the paper's; on {maps} "
    "maps it subtracts their sum where the paper subtracts their mean: {lecture_common:.1f} of the energy of what "
    "comes out is the same in all maps (the paper's: {paper_common:.1f}), and outputs correlate by {alike:.2f}. "
    "This repository takes the paper's."
)


def section(material: Material) -> Section:
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
    return Section(
        claim="lecture-11",
        title="Contrast normalisation: local mean zero, local deviation one, and competition",
        text=TEXT,
        measured={
            **_one_map(one_map, floor),
            **_all_maps(maps),
            **_units(ratios),
            **_scales(material),
            **trials.settings(),
            **trials.compared(material, "abs_avgpool", "abs_lcn_avgpool", "n", "N"),
        },
        pictures=[
            _before_and_after(floors),
            _deviations(one_map),
            _competition(ratios),
            trials.curves(material, {"abs_avgpool": "without N", "abs_lcn_avgpool": "with N"}, "lecture-11-training"),
        ],
        tables=[_formulas(maps)],
    )


def _inside(x: Tensor, kernel_size: int, cut: int = 0) -> Tensor:
    """Positions on which zeros outside the map have no bearing; with `cut`, of these only where a window fits in."""
    margin = kernel_size - 1 + cut
    return x[..., margin:-margin, margin:-margin]


def _one_map(found: dict[str, tuple[Tensor, Tensor]], floor: Tensor) -> dict[str, Measured]:
    """Local statistics of photographs: one figure an image, then their mean."""
    of = "photographs, window 7x7"
    mean_sizes = {name: mean.abs().mean((1, 2, 3)).tolist() for name, (mean, _) in found.items()}
    deviations = {name: deviation for name, (_, deviation) in found.items()}
    split = [
        [deviation[on].mean().item() for deviation, on in zip(deviations["paper"], where, strict=True)]
        for where in (floor, ~floor)
    ]
    return {
        "photographs": Measured(COUNT, "photographs"),
        "photo_before": mean_of(_by_image(deviations["before"]), f"local deviation before N, {of}"),
        "photo_small": mean_of(_by_image(deviations["small"]), f"local deviation after N with c = {SMALL}, {of}"),
        "photo_paper": mean_of(_by_image(deviations["paper"]), f"local deviation after N, c the mean of sigma, {of}"),
        "photo_above": mean_of(split[1], f"the same where sigma exceeds c, {of}"),
        "photo_floor": mean_of(split[0], f"the same on the floor, {of}"),
        "photo_share": mean_of([100 * v for v in _by_image(floor.double())], f"positions on the floor, {of}", "%"),
        "mean_before": mean_of(mean_sizes["before"], f"size of the local mean before N, {of}"),
        "mean_small": mean_of(mean_sizes["small"], f"size of the local mean after N with c = {SMALL}, {of}"),
        "mean_paper": mean_of(mean_sizes["paper"], f"size of the local mean after N, c the mean of sigma, {of}"),
    }


def _by_image(x: Tensor) -> list[float]:
    return x.mean((1, 2, 3)).tolist()


def _maps(material: Material, images: Tensor) -> Tensor:
    """What N is given in the first stage of the paper's network with random filters, [n, 64, height, width]."""
    stage = make_network(parse(material.config("data=caltech101", "stages=1")), 102).stages[0].requires_grad_(False)
    maps: Tensor = stage.get_submodule("rectify")(stage.get_submodule("filter_bank")(images))
    return maps


def _all_maps(maps: Tensor) -> dict[str, Measured]:
    paper, lecture = local_contrast_norm(maps.double(), WINDOW), lecture_contrast_norm(maps, WINDOW, SMALL)
    mean, deviation = local_statistics(_inside(paper, WINDOW), WINDOW, across_maps=True)
    alike = [
        torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()
        for a, b in zip(paper, lecture, strict=True)
    ]
    floor = [100 * share for share in _by_image(_inside(on_floor(maps, WINDOW), WINDOW).double())]
    return {
        "maps": Measured(maps.shape[1], "maps of random filters and R_abs, Caltech-101"),
        "maps_after": mean_of(_by_image(deviation), "local deviation over all maps after N, window 9x9"),
        "maps_mean": mean_of(_by_image(mean.abs()), "size of the local mean over all maps after N, window 9x9"),
        "maps_share": mean_of(floor, "positions on the floor, 64 maps, window 9x9", "%"),
        "lecture_common": mean_of(
            (100 * common_share(lecture)).tolist(), "energy common to all maps, lecture's N", "%"
        ),
        "paper_common": mean_of((100 * common_share(paper)).tolist(), "energy common to all maps, paper's N", "%"),
        "alike": mean_of(alike, "correlation of the outputs of both formulas, 64 maps"),
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


def _units(ratios: dict[str, Tensor]) -> dict[str, Measured]:
    words = {
        "places": "with its window in the same map twice as active",
        "others": "with the other maps at its position twice as active",
        "alone": "with its window twice as active, N by each map alone",
    }
    measured = {
        "units": Measured(len(ratios["places"]), f"units, the strongest of each map on {WITH_UNITS} photographs")
    }
    for name, ratio in ratios.items():
        measured[name] = mean_of(ratio.tolist(), f"what a unit keeps of its response {words[name]}")
        measured[f"{name}_less"] = Measured(int((ratio < 1).sum()), f"units that respond less {words[name]}")
    return measured


def _scales(material: Material) -> dict[str, Measured]:
    photographs = material.photographs(COUNT)
    maps = _maps(material, (photographs - photographs.mean((1, 2, 3), keepdim=True)) / photographs.std())
    what = "deviation over photographs of the strength of all maps"
    return {
        "spread_before": Measured(scale_spread(maps), f"{what}, before N", "octaves"),
        "spread_after": Measured(scale_spread(local_contrast_norm(maps)), f"{what}, after N", "octaves"),
    }


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
    caption = "N of the same {maps} maps by four formulas, window 9x9: local statistics over all maps."
    return Table(["formula", "size of local mean", "local deviation", "common energy, %"], rows, caption)


def _before_and_after(floors: dict[str, Tensor]) -> Picture:
    titles = {"before": "photograph", "small": "N, c small", "paper": "N, c mean of sigma"}
    chosen = (len(floors["before"]) // 8, len(floors["before"]) // 2)
    with drawing.figure(len(chosen), 3, 3.3) as (drawn, axes):
        for line, image in enumerate(chosen):
            for ax, (name, x) in zip(axes[line], floors.items(), strict=True):
                title = titles[name] if line == 0 else ""
                if name == "before":
                    drawing.gray(ax, x[image, 0], title, limit=1.0, low=0.0)
                else:
                    drawing.gray(ax, x[image, 0], title, limit=2.5)
        caption = "Two photographs before and after N, window 7x7: a small c blows up what is in flat regions."
        return Picture("lecture-11-photographs", drawing.png(drawn), caption)


def _deviations(found: dict[str, tuple[Tensor, Tensor]]) -> Picture:
    labels = {"before": "before", "small": "c small", "paper": "c mean of sigma"}
    with drawing.figure(height=2.6) as (drawn, axes):
        ax = axes[0, 0]
        for (name, (_, deviation)), style in zip(found.items(), (":", "-", "--"), strict=True):
            ax.hist(
                deviation.flatten().numpy(),
                bins=80,
                range=(0, 2),
                density=True,
                label=labels[name],
                **LINE,
                linestyle=style,
            )
        ax.set_ylim(0, 4)
        ax.set_xlabel("local deviation")
        ax.set_ylabel("density of positions")
        ax.legend()
        caption = (
            "Local deviation at all positions of {photographs} photographs, before N and after it. What is on the "
            "floor makes the left part of the last curve; the first is cut off above."
        )
        return Picture("lecture-11-deviation", drawing.png(drawn), caption)


def _competition(ratios: dict[str, Tensor]) -> Picture:
    labels = {"places": "its window in the same map", "others": "the other maps", "alone": "its window, N by each map"}
    with drawing.figure(height=2.5) as (drawn, axes):
        ax = axes[0, 0]
        for (name, ratio), style in zip(ratios.items(), ("-", "--", ":"), strict=True):
            ax.hist(ratio.clamp(0, 1.3).numpy(), bins=65, range=(0, 1.3), label=labels[name], **LINE, linestyle=style)
        ax.axvline(1, color="#555555", linewidth=1)
        ax.set_xlabel("response kept")
        ax.set_ylabel("units")
        ax.legend(loc="upper left", title="twice as active:", alignment="left")
        return Picture(
            "lecture-11-competition",
            drawing.png(drawn),
            "What {units:,} strong units keep of their response when neighbours are twice as active; left of the line, "
            "less than before. What changes its sign counts as zero.",
        )
