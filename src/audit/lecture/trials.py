"""Short trainings that sections compare: the same digits, mini-batches and seeds, another preset or another rate."""

import math
from collections.abc import Sequence
from functools import cache

import torch

from audit.instruments.activations import Course, train_and_follow
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture
from multistage.records import intervals as estimates
from multistage.records.intervals import Measured, mean_of

STEPS, SEEDS = 60, 5
RATES = (0.005, 0.02, 0.08)
"""Of SGD, without a schedule; the middle one is that of the published runs on digits."""

CHANCE = math.log(10)
"""The loss of a network that knows nothing of ten classes, nats."""

DIVERGED = 100.0
"""Nats; a larger loss counts as this."""


@cache
def course(material: Material, model: str, rate: float, seed: int) -> Course:
    """The first `STEPS` of a training on digits, watched before the first stage's pooling."""
    typed = (f"model={model}", f"optimizer.lr={rate}", f"draw={seed}", f"seed={seed}")
    return train_and_follow(material.config(*typed), material.dataset("digits"), STEPS)


def late_losses(material: Material, model: str, rate: float) -> list[float]:
    """The loss at the end of a training, nats, one a seed; infinite where it diverged."""
    return [min(course(material, model, rate, seed).late_loss, DIVERGED) for seed in range(SEEDS)]


def compared(material: Material, without: str, with_it: str, name: str, what: str) -> dict[str, Measured]:
    """How a training with an operation compares with one without it.

    Args:
        material: What the section is given.
        without: Preset.
        with_it: The preset that has the operation.
        name: First part of the figures' names.
        what: The operation, in words.

    Returns:
        ``<name>_slow`` and ``<name>_equal``, the paired differences of the losses at the smallest and the middle rate;
        ``<name>_best``, the same with each preset at the rate that was best for it; ``<name>_lost`` and
        ``<name>_lost_without``, for how many of all rates and seeds training ended above chance.
    """
    losses = {model: {rate: late_losses(material, model, rate) for rate in RATES} for model in (without, with_it)}
    best = {model: min(by_rate, key=lambda rate: sum(by_rate[rate])) for model, by_rate in losses.items()}
    equal = minus(losses[with_it][RATES[1]], losses[without][RATES[1]])
    own = minus(losses[with_it][best[with_it]], losses[without][best[without]])
    lost = {
        model: sum(loss > CHANCE for each in by_rate.values() for loss in each) for model, by_rate in losses.items()
    }
    loss = f"of the loss after {STEPS} steps on digits, with {what} minus without ({with_it}, {without})"
    slow = minus(losses[with_it][RATES[0]], losses[without][RATES[0]])
    at_slow = mean_of(slow, f"paired difference {loss}, rate {RATES[0]}", "nats")
    at_equal = mean_of(equal, f"paired difference {loss}, rate {RATES[1]}", "nats")
    at_best = mean_of(own, f"paired difference {loss}, each at its best rate", "nats")
    return {
        f"{name}_slow": at_slow,
        f"{name}_slow_half": half_width(at_slow),
        f"{name}_equal": at_equal,
        f"{name}_equal_half": half_width(at_equal),
        f"{name}_best": at_best,
        f"{name}_lost": Measured(lost[with_it], f"trainings that ended above chance, {with_it}"),
        f"{name}_lost_without": Measured(lost[without], f"trainings that ended above chance, {without}"),
    }


def minus(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Differences of pairs."""
    return [one - other for one, other in zip(a, b, strict=True)]


def half_width(mean: Measured) -> Measured:
    """Half of the interval of a mean, as texts put it behind a plus-minus."""
    assert mean.interval is not None
    return Measured(estimates.half_width(mean.interval), f"half of the interval of: {mean.what}", mean.unit)


def settings() -> dict[str, Measured]:
    """What texts say of these trainings."""
    return {
        "steps": Measured(STEPS, "training steps"),
        "seeds": Measured(SEEDS, "seeds, each with its own draw of training images"),
        "slow_rate": Measured(RATES[0], "smallest learning rate tried"),
        "rate": Measured(RATES[1], "learning rate of the published runs on digits"),
        "trainings": Measured(SEEDS * len(RATES), "trainings of each preset: rates times seeds"),
    }


def curves(material: Material, models: dict[str, str], name: str) -> Picture:
    """Loss against steps, a panel a rate.

    Args:
        material: What the section is given.
        models: From preset to its label.
        name: Of the picture.
    """
    with drawing.figure(1, len(RATES), 2.7, sharey=True) as (drawn, axes):
        for ax, rate in zip(axes[0], RATES, strict=True):
            for (model, label), style in zip(models.items(), ("-", "--", "-.", ":"), strict=False):
                losses = torch.stack([course(material, model, rate, seed).losses for seed in range(SEEDS)]).mean(0)
                smooth = losses.unfold(0, 5, 1).mean(1)
                ax.plot(range(3, 3 + len(smooth)), smooth.clamp(max=6), style, label=label)
            lost = [label for model, label in models.items() if max(late_losses(material, model, rate)) > CHANCE]
            if lost:
                ax.text(STEPS / 2, 3.8, "\n".join(["diverged:", *lost]), ha="center", va="top")
            ax.axhline(CHANCE, color="#555555", linewidth=1)
            ax.set_title(f"rate {rate:g}")
            ax.set_ylim(0, 4)
            ax.set_xlabel("step")
        axes[0, 0].set_ylabel("loss, nats")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=2)
        caption = (
            "Loss of the mini-batch, mean over {seeds} seeds and over five neighbouring steps; the gray line is "
            "chance. Diverged is what ends above it, with any seed."
        )
        return Picture(name, drawing.png(drawn), caption)
