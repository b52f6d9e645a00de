"""Short trainings that sections compare: same digits, mini-batches and seeds, different preset or learning rate."""

import math
from functools import cache

import torch
from torch import Tensor

from audit.instruments.activations import Course, train_and_follow
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Figure

STEPS, SEEDS = 60, 5
RATES = (0.005, 0.02, 0.08)
"""Learning rates of SGD, without a schedule; the middle one is that of the published runs on digits."""

CHANCE = math.log(10)
"""The loss of guessing among ten classes, nats."""

DIVERGED = 100.0
"""Largest loss that is reported, nats; larger ones are clipped."""


@cache
def course(material: Material, model: str, rate: float, seed: int) -> Course:
    """Run the first `STEPS` of a training on digits, observed before the first stage's pooling."""
    config = {**material.config(f"model={model}"), "optimizer.lr": rate, "draw": seed, "seed": seed}
    return train_and_follow(config, material.dataset("digits"), STEPS)


def courses(material: Material, model: str, rate: float) -> list[Course]:
    """Run the same with every seed."""
    return [course(material, model, rate, seed) for seed in range(SEEDS)]


def late_losses(material: Material, model: str, rate: float) -> Tensor:
    """Return the final losses of trainings, nats, [seeds]; `DIVERGED` where a training diverged."""
    losses = [found.late_loss for found in courses(material, model, rate)]
    return torch.tensor(losses, dtype=torch.float64).clamp(max=DIVERGED)


def compared(material: Material, without: str, with_it: str, name: str) -> dict[str, Figure]:
    """Compare training with an operation to training without it.

    Args:
        material: Images, networks and filters.
        without: Preset without the operation.
        with_it: Preset with the operation.
        name: Prefix of the figures' names.

    Returns:
        ``<name>_slow`` and ``<name>_equal``, the paired differences of the losses at the smallest and the middle rate;
        ``<name>_best``, the same with each preset at its best rate; ``<name>_lost`` and ``<name>_lost_without``, the
        number of rates and seeds for which training ended above chance.
    """
    before, after = (
        torch.stack([late_losses(material, model, rate) for rate in RATES]) for model in (without, with_it)
    )  # [rates, seeds]
    best_before, best_after = (losses[losses.sum(1).argmin()] for losses in (before, after))
    return {
        f"{name}_slow": after[0] - before[0],
        f"{name}_equal": after[1] - before[1],
        f"{name}_best": best_after - best_before,
        f"{name}_lost": int((after > CHANCE).sum()),
        f"{name}_lost_without": int((before > CHANCE).sum()),
    }


def settings() -> dict[str, Figure]:
    """Return the numbers of these trainings that texts use."""
    rates = {"slow_rate": RATES[0], "rate": RATES[1]}
    return {"steps": STEPS, "seeds": SEEDS, **rates, "trainings": SEEDS * len(RATES)}


def curves(material: Material, models: dict[str, str]) -> bytes:
    """Draw loss against steps, one panel per rate.

    Args:
        material: Images, networks and filters.
        models: Labels by preset.
    """

    @drawing.picture(1, len(RATES), 2.7, sharey=True)
    def draw(axes: drawing.Axes) -> None:
        for ax, rate in zip(axes, RATES, strict=True):
            for (model, label), style in zip(models.items(), ("-", "--", "-.", ":"), strict=False):
                losses = torch.stack([found.losses for found in courses(material, model, rate)]).mean(0)
                smooth = losses.unfold(0, 5, 1).mean(1)
                ax.plot(range(3, 3 + len(smooth)), smooth.clamp(max=6), style, label=label)
            lost = [label for model, label in models.items() if late_losses(material, model, rate).max() > CHANCE]
            if lost:
                ax.text(STEPS / 2, 3.8, "\n".join(["diverged:", *lost]), ha="center", va="top")
            ax.axhline(CHANCE, **drawing.RULE)
            ax.set(title=f"rate {rate:g}", ylim=(0, 4), xlabel="step")
        axes[0].set_ylabel("loss, nats")
        drawing.shared_legend(axes, "lower center", ncols=2)

    return draw()
