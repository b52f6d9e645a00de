"""lecture-14: the outputs of softmax estimate probabilities of classes."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from audit.instruments.calibration import BINS, calibration_error, reliability
from audit.lecture import Found, Material, Table, drawing
from audit.lecture.material import PAPER
from audit.lecture.section import Figure
from multistage.train import protocol
from multistage.train.history import History
from multistage.train.quiet import quiet

COUNT, SURE = 2000, 0.99
FEW, EPOCHS, DRAWS = 10, 40, 5
"""Labels per class, epochs of training, and draws."""

LEAST = 20
"""Smallest number of predictions in a bin that is drawn."""


class Calibration(NamedTuple):
    """Accuracy and confidence of a network, %."""

    accuracy: float
    confidence: float
    error: float


def measure(material: Material) -> Found:
    """Measure calibration of every trained preset, and of networks trained on few labels."""
    x, labels = material.images("mnist", COUNT), material.labels("mnist", COUNT)
    scores = {model: _scores(material.trained(model), x) for model in material.presets()}
    calibrated = {model: _calibration(found, labels) for model, found in scores.items()}
    errors = [found.error for found in calibrated.values()]
    different: list[Tensor] = []
    for found in scores.values():
        if not any(torch.equal(found, other) for other in different):
            different.append(found)
    every, every_label = torch.cat(different), labels.repeat(len(different))
    is_unsure = every.softmax(1).amax(1) <= SURE
    unsure = _calibration(every[is_unsure], every_label[is_unsure])
    few, few_scores, few_labels = _with_few_labels(material)
    return Found(
        {
            "images": COUNT,
            "presets": len(scores),
            "bins": BINS,
            "least_count": LEAST,
            **calibrated[PAPER]._asdict(),
            "least": min(errors),
            "most": max(errors),
            "limit": SURE,
            "sure": 100 * float((~is_unsure).double().mean()),
            "unsure": int(is_unsure.sum()),
            "unsure_confidence": unsure.confidence,
            "unsure_accuracy": unsure.accuracy,
            "few": FEW,
            "few_epochs": EPOCHS,
            "few_draws": DRAWS,
            **few,
        },
        pictures={"reliability": _reliability((every, every_label), (few_scores, few_labels))},
        tables={"calibration": _table(calibrated)},
    )


@torch.inference_mode()
def _scores(net: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([net(some) for some in torch.split(x, 250)])


def _calibration(scores: Tensor, labels: Tensor) -> Calibration:
    accuracy = 100 * float((scores.argmax(1) == labels).double().mean())
    confidence = 100 * float(scores.double().softmax(1).amax(1).mean())
    return Calibration(accuracy, confidence, 100 * calibration_error(scores, labels))


def _with_few_labels(material: Material) -> tuple[dict[str, Figure], Tensor, Tensor]:
    """Return figures of networks trained on few digits, and all of their scores with the labels."""
    dataset = material.dataset("digits")
    training, found, scores, labels = [], [], [], []
    for draw in range(DRAWS):
        typed = (f"data.train_per_class={FEW}", f"draw={draw}")
        config = material.config(
            "data=digits", "trainer.accelerator=cpu", f"trainer.max_epochs={EPOCHS}", f"seed={draw}", *typed
        )
        split = material.split("digits", *typed)
        with quiet():
            net = protocol.train(config, dataset, split, History(), "none").net
        scores.append(_scores(net, dataset.pixels(split.test)))
        labels.append(dataset.labels[split.test])
        training.append(_calibration(_scores(net, dataset.pixels(split.train)), dataset.labels[split.train]).accuracy)
        found.append(_calibration(scores[-1], labels[-1]))
    over = [each.confidence - each.accuracy for each in found]
    figures: dict[str, Figure] = {"few_training": training, "few_over": over}
    figures |= {f"few_{name}": [getattr(one, name) for one in found] for name in Calibration._fields}
    return figures, torch.cat(scores), torch.cat(labels)


def _table(calibrated: dict[str, Calibration]) -> Table:
    rows = [(model, *found) for model, found in calibrated.items()]
    return Table(["model", "accuracy, %", "mean confidence, %", "calibration error, %"], rows, ".2f")


@drawing.picture(height=3.4)
def _reliability(ax: drawing.Axes, every: tuple[Tensor, Tensor], few: tuple[Tensor, Tensor]) -> None:
    ax.plot([0, 1], [0, 1], **drawing.RULE)
    for found, marker, label in ((every, "o-", "MNIST, all presets"), (few, "s--", "digits, few labels")):
        curve = reliability(*found)
        shown = curve.count >= LEAST
        ax.plot(curve.confidence[shown], curve.accuracy[shown], marker, label=label)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="share that is right")
    ax.legend(loc="upper left")
