"""lecture-13: batch normalisation: zero mean, unit variance per mini-batch, then a learned scale and shift."""

from collections.abc import Sequence

import torch
from torch import Tensor

from audit.instruments.activations import Course
from audit.lecture import Found, Material, drawing, trials
from audit.tables.differences import differences
from multistage.records.cells import cells
from multistage.records.intervals import Measured

PLAIN, NORMALISED = "abs_avgpool", "abs_batchnorm_avgpool"
SIGNED, SIGNED_NORMALISED = "avgpool", "batchnorm_avgpool"
LABELS = {PLAIN: "abs", NORMALISED: "abs, batch norm", SIGNED: "neither", SIGNED_NORMALISED: "batch norm"}


def measure(material: Material) -> Found:
    """Follow both networks through training."""
    without, with_it = (trials.courses(material, model, trials.RATES[1]) for model in (PLAIN, NORMALISED))
    means, deviations = (torch.stack(column) for column in zip(*(c.standardised for c in with_it), strict=True))
    return Found(
        {
            "mean_error": float(means.abs().max()),
            "deviation_error": float((deviations - 1).abs().max()),
            **_ends("scale", [c.scales[-1] for c in with_it]),
            **_ends("shift", [c.shifts[-1] for c in with_it]),
            **_ends("plain", [c.means[-1] for c in without]),
            "plain_drift": _drift(without),
            "norm_drift": _drift(with_it),
            **trials.settings(),
            **trials.compared(material, PLAIN, NORMALISED, "abs"),
            **trials.compared(material, SIGNED, SIGNED_NORMALISED, "signed"),
            "published": _published(material),
        },
        pictures={"units": _units([without[0], with_it[0]]), "training": trials.curves(material, LABELS)},
    )


def _ends(name: str, values: Sequence[Tensor]) -> dict[str, float]:
    low, high = torch.stack([*values]).aminmax()
    return {f"{name}_low": float(low), f"{name}_high": float(high)}


def _drift(courses: Sequence[Course]) -> float:
    """Return the drift of units' means from the first ten steps to the last, in initial standard deviations."""
    moved = [((c.means[-10:].mean(0) - c.means[:10].mean(0)).abs() / c.deviations[:10].mean(0)).mean() for c in courses]
    return float(torch.stack(moved).mean())


def _published(material: Material) -> Measured:
    """Return the paired difference of fine-tuned runs on digits, with batch normalisation minus without."""
    wanted = {"refine": True, "model.rectify": "abs"}
    for change in differences([c for c in cells(material.records("ablation")) if wanted.items() <= c.config.items()]):
        if [c.config["model.normalise"] for c in (change.before, change.after)] == ["none", "batchnorm"]:
            return change.difference
    raise LookupError("results/ablation has no pair that differs by batch normalisation")


@drawing.picture(2, 2, 3.8, sharex=True, sharey="row")
def _units(axes: drawing.Axes, courses: Sequence[Course]) -> None:
    for column, (title, course) in enumerate(zip(("without", "with batch normalisation"), courses, strict=True)):
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel("step")
        for line, values in enumerate((course.means, course.deviations)):
            axes[line, column].plot(values, color=drawing.COLOURS[column], linewidth=0.7, alpha=0.7)
    axes[0, 0].set_ylabel("mean of a unit")
    axes[1, 0].set_ylabel("deviation")
