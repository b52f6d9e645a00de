"""lecture-13: batch normalisation: zero mean, unit variance per mini-batch, then a learned scale and shift."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from audit.instruments.activations import Course
from audit.lecture import drawing, trials
from audit.lecture.material import Material
from audit.lecture.section import Found, estimate
from audit.tables.differences import differences
from multistage.records.cells import cells
from multistage.records.files import from_file
from multistage.records.intervals import Measured

PLAIN, NORMALISED = "abs_avgpool", "abs_batchnorm_avgpool"
SIGNED, SIGNED_NORMALISED = "avgpool", "batchnorm_avgpool"
LABELS = {PLAIN: "abs", NORMALISED: "abs, batch norm", SIGNED: "neither", SIGNED_NORMALISED: "batch norm"}


def measure(material: Material) -> Found:
    """Watch both through training."""
    with_it = [trials.course(material, NORMALISED, trials.RATES[1], seed) for seed in range(trials.SEEDS)]
    without = [trials.course(material, PLAIN, trials.RATES[1], seed) for seed in range(trials.SEEDS)]
    means, deviations = (torch.stack(column) for column in zip(*(c.standardised for c in with_it), strict=True))
    scales, shifts = (torch.stack([getattr(c, name)[-1] for c in with_it]) for name in ("scales", "shifts"))
    last = torch.stack([c.means[-1] for c in without])
    return Found(
        {
            "mean_error": float(means.abs().max()),
            "deviation_error": float((deviations - 1).abs().max()),
            **_ends(scales, "scale"),
            **_ends(shifts, "shift"),
            **_ends(last, "plain"),
            "plain_drift": _drift(without),
            "norm_drift": _drift(with_it),
            **trials.settings(),
            **trials.compared(material, PLAIN, NORMALISED, "abs"),
            **trials.compared(material, SIGNED, SIGNED_NORMALISED, "signed"),
            "published": _published(material),
        },
        pictures={"units": _units([without[0], with_it[0]]), "training": trials.curves(material, LABELS)},
    )


def _ends(values: Tensor, name: str) -> dict[str, float]:
    return {f"{name}_low": float(values.min()), f"{name}_high": float(values.max())}


def _drift(courses: Sequence[Course]) -> float:
    """How far units' means go from the first ten steps to the last, in their first deviations; over units and seeds."""
    moved = [((c.means[-10:].mean(0) - c.means[:10].mean(0)).abs() / c.deviations[:10].mean(0)).mean() for c in courses]
    return float(torch.stack(moved).mean())


def _published(material: Material) -> Measured:
    """The paired difference of refined runs on digits, with batch normalisation minus without."""
    for change in differences(cells(from_file(material.results / "ablation" / "records.jsonl"))):
        config = change.before.config
        normalisations = (config["model.normalise"], change.after.config["model.normalise"])
        if normalisations == ("none", "batchnorm") and config["refine"] and config["model.rectify"] == "abs":
            return estimate(change.difference)
    raise LookupError("results/ablation has no pair that differs by batch normalisation")


@drawing.picture(2, 2, 3.8, sharex=True, sharey="row")
def _units(axes: Any, courses: Sequence[Course]) -> None:
    for column, (title, course) in enumerate(zip(("without", "with batch normalisation"), courses, strict=True)):
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel("step")
        for line, values in enumerate((course.means, course.deviations)):
            axes[line, column].plot(values, color=drawing.COLOURS[column], linewidth=0.7, alpha=0.7)
    axes[0, 0].set_ylabel("mean of a unit")
    axes[1, 0].set_ylabel("deviation")
