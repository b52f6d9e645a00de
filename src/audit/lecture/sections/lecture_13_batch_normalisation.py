"""lecture-13: batch normalisation: zero mean, unit variance per mini-batch, then a learned scale and shift."""

import torch
from torch import Tensor

from audit.lecture import drawing, trials
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section
from audit.tables.differences import differences
from multistage.records.cells import cells
from multistage.records.files import from_file
from multistage.records.intervals import Measured

PLAIN, NORMALISED = "abs_avgpool", "abs_batchnorm_avgpool"
SIGNED, SIGNED_NORMALISED = "avgpool", "batchnorm_avgpool"

TEXT = (
    "The same network was trained on digits with and without batch normalisation before each pooling "
    "(`abs_avgpool`, `abs_batchnorm_avgpool`), {seeds} times, and the first stage's units were watched in every "
    "mini-batch of the first {steps} steps. Before its learned scale and shift, batch normalisation leaves means "
    "of {mean_error:.0e} at most and deviations that miss one by {deviation_error:.0e} at most, the latter "
    "because of the small constant that is added to variances: zero mean and unit variance hold, in training, by "
    "construction. Scale and shift are learned, but move little in so few steps: scales end between "
    "{scale_low:.2f} and {scale_high:.2f}, shifts between {shift_low:+.2f} and {shift_high:+.2f}. Without it, "
    "means of the same units end between {plain_low:.2f} and {plain_high:.2f}, and on the way the mean of a unit "
    "moves by {plain_drift:.2f} of its deviation, with it by {norm_drift:.2f}. Does it help training? With "
    "rectification: the loss after {steps} steps differs, with minus without, by {abs_slow:+.2f} ± "
    "{abs_slow_half:.2f} at a rate of {slow_rate:g} and by {abs_equal:+.2f} ± {abs_equal_half:.2f} at the usual "
    "{rate:g}. Without rectification, where means are near zero anyway (`avgpool`, `batchnorm_avgpool`): "
    "{signed_slow:+.2f} ± {signed_slow_half:.2f} and {signed_equal:+.2f} ± {signed_equal_half:.2f}. Of "
    "{trainings} trainings each, at three rates, {abs_lost} with it and {abs_lost_without} without ended above "
    "chance in the first pair, {signed_lost} and {signed_lost_without} in the second. In published runs on digits "
    "that were trained to the end, batch normalisation after `R_abs` changes test accuracy by {published:+.2f} ± "
    "{published_half:.2f}."
)


def section(material: Material) -> Section:
    """Watch both through training."""
    with_it = [trials.course(material, NORMALISED, trials.RATES[1], seed) for seed in range(trials.SEEDS)]
    without = [trials.course(material, PLAIN, trials.RATES[1], seed) for seed in range(trials.SEEDS)]
    means, deviations = (torch.stack(column) for column in zip(*(c.standardised for c in with_it), strict=True))
    scales, shifts = (torch.stack([getattr(c, name)[-1] for c in with_it]) for name in ("scales", "shifts"))
    last = torch.stack([c.means[-1] for c in without])
    published = _published(material)
    return Section(
        claim="lecture-13",
        title="Batch normalisation: zero mean, unit variance, and what that does for training",
        text=TEXT,
        measured={
            "mean_error": Measured(float(means.abs().max()), "largest mean of a unit in any mini-batch, standardised"),
            "deviation_error": Measured(float((deviations - 1).abs().max()), "largest miss of deviation one, likewise"),
            **_ends(scales, "scale", "learned scale after the last step"),
            **_ends(shifts, "shift", "learned shift after the last step"),
            **_ends(last, "plain", "mean of a unit without batch normalisation, last step"),
            "plain_drift": _drift([(c.means, c.deviations) for c in without], PLAIN),
            "norm_drift": _drift([(c.means, c.deviations) for c in with_it], NORMALISED),
            **trials.settings(),
            **trials.compared(material, PLAIN, NORMALISED, "abs", "batch normalisation"),
            **trials.compared(material, SIGNED, SIGNED_NORMALISED, "signed", "batch normalisation"),
            "published": published,
            "published_half": trials.half_width(published),
        },
        pictures=[
            _units(without[0].means, without[0].deviations, with_it[0].means, with_it[0].deviations),
            _curves(material),
        ],
    )


def _ends(values: Tensor, name: str, what: str) -> dict[str, Measured]:
    return {
        f"{name}_low": Measured(float(values.min()), f"lowest {what}"),
        f"{name}_high": Measured(float(values.max()), f"highest {what}"),
    }


def _drift(courses: list[tuple[Tensor, Tensor]], model: str) -> Measured:
    """How far units' means go from the first ten steps to the last, in their first deviations; over units and seeds."""
    moved = [((m[-10:].mean(0) - m[:10].mean(0)).abs() / d[:10].mean(0)).mean() for m, d in courses]
    return Measured(float(torch.stack(moved).mean()), f"how far a unit's mean moves, in its deviations, {model}")


def _published(material: Material) -> Measured:
    """The paired difference of refined runs on digits, with batch normalisation minus without."""
    for change in differences(cells(from_file(material.results / "ablation" / "records.jsonl"))):
        config = change.before.config
        normalisations = (config["model.normalise"], change.after.config["model.normalise"])
        if normalisations == ("none", "batchnorm") and config["refine"] and config["model.rectify"] == "abs":
            d = change.difference
            what = "paired difference of test accuracy, refined on digits, abs_batchnorm_avgpool minus abs_avgpool"
            return Measured(d.mean, what, "points", d.interval, d.n)
    raise LookupError("results/ablation has no pair that differs by batch normalisation")


def _units(*values: Tensor) -> Picture:
    with drawing.figure(2, 2, 3.8, sharex=True, sharey="row") as (drawn, axes):
        for column, title in enumerate(("without", "with batch normalisation")):
            for line, label in enumerate(("mean of a unit", "deviation")):
                axes[line, column].plot(
                    values[2 * column + line], color=drawing.COLOURS[column], linewidth=0.7, alpha=0.7
                )
                axes[line, 0].set_ylabel(label)
            axes[0, column].set_title(title)
            axes[1, column].set_xlabel("step")
        caption = (
            "Mean and deviation of each of the first stage's units over a mini-batch, a line a unit, through the first "
            "{steps} steps of one training, as they go into pooling (after scale and shift)."
        )
        return Picture("lecture-13-units", drawing.png(drawn), caption)


def _curves(material: Material) -> Picture:
    labels = {
        PLAIN: "abs",
        NORMALISED: "abs, batch norm",
        SIGNED: "neither",
        SIGNED_NORMALISED: "batch norm",
    }
    return trials.curves(material, labels, "lecture-13-training")
