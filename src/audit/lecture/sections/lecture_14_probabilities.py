"""lecture-14: the outputs of softmax estimate probabilities of classes."""

from typing import Any

import torch
from torch import Tensor, nn

from audit.instruments.calibration import BINS, calibration_error, overconfidence, reliability
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Figure, Found, Table
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.train import protocol
from multistage.train.history import History
from multistage.train.quiet import quiet

COUNT, SURE = 2000, 0.99
PAPER = "abs_lcn_avgpool"
FEW, EPOCHS, DRAWS = 10, 40, 5
"""Labels a class, epochs of training on them, and draws."""

LEAST = 20
"""Predictions of a bin that is drawn."""


def measure(material: Material) -> Found:
    """Calibrate every trained preset, and networks that had few labels."""
    x, labels = material.images("mnist", COUNT), material.labels("mnist", COUNT)
    scores = {name: _scores(material.trained(name), x) for name in composition.names("model")}
    errors = {name: 100 * calibration_error(found, labels) for name, found in scores.items()}
    accuracy, confidence = _accuracy_and_confidence(scores[PAPER], labels)
    found = [*scores.values()]
    different = [s for i, s in enumerate(found) if not any(torch.equal(s, other) for other in found[:i])]
    every, every_label = torch.cat(different), labels.repeat(len(different))
    unsure = every.softmax(1).amax(1) <= SURE
    unsure_accuracy, unsure_confidence = _accuracy_and_confidence(every[unsure], every_label[unsure])
    few, few_scores, few_labels = _with_few_labels(material)
    return Found(
        {
            "images": COUNT,
            "presets": len(scores),
            "bins": BINS,
            "least_count": LEAST,
            "accuracy": accuracy,
            "confidence": confidence,
            "error": errors[PAPER],
            "least": min(errors.values()),
            "most": max(errors.values()),
            "limit": SURE,
            "sure": 100 * float((~unsure).double().mean()),
            "unsure": int(unsure.sum()),
            "unsure_confidence": unsure_confidence,
            "unsure_accuracy": unsure_accuracy,
            "few": FEW,
            "few_epochs": EPOCHS,
            "few_draws": DRAWS,
            **few,
        },
        pictures={"reliability": _reliability((every, every_label), (few_scores, few_labels))},
        tables={"calibration": _table(scores, labels)},
    )


@torch.inference_mode()
def _scores(net: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([net(some) for some in torch.split(x, 250)])


def _accuracy_and_confidence(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """Both in percent."""
    accuracy = 100 * float((scores.argmax(1) == labels).double().mean())
    return accuracy, accuracy + 100 * overconfidence(scores, labels)


def _with_few_labels(material: Material) -> tuple[dict[str, Figure], Tensor, Tensor]:
    """Figures of networks trained on few digits, and all of their scores with the labels."""
    dataset = material.dataset("digits")
    rows, every, every_label = [], [], []
    for draw in range(DRAWS):
        settings = (f"data.train_per_class={FEW}", f"trainer.max_epochs={EPOCHS}", f"draw={draw}", f"seed={draw}")
        config = material.config("data=digits", "trainer.accelerator=cpu", *settings)
        split = parse(config).draw.of(dataset)
        with quiet():
            net = protocol.train(config, dataset, split, History(), "none").net
        scores, labels = _scores(net, dataset.pixels(split.test)), dataset.labels[split.test]
        training, _ = _accuracy_and_confidence(_scores(net, dataset.pixels(split.train)), dataset.labels[split.train])
        error = 100 * calibration_error(scores, labels)
        rows.append((training, *_accuracy_and_confidence(scores, labels), error, 100 * overconfidence(scores, labels)))
        every.append(scores)
        every_label.append(labels)
    names = ("few_training", "few_accuracy", "few_confidence", "few_error", "few_over")
    figures: dict[str, Figure] = dict(zip(names, zip(*rows, strict=True), strict=True))
    return figures, torch.cat(every), torch.cat(every_label)


def _table(scores: dict[str, Tensor], labels: Tensor) -> Table:
    rows = []
    for name, found in scores.items():
        accuracy, confidence = _accuracy_and_confidence(found, labels)
        rows.append([name, f"{accuracy:.2f}", f"{confidence:.2f}", f"{100 * calibration_error(found, labels):.2f}"])
    return Table(["model", "accuracy, %", "mean confidence, %", "calibration error, %"], rows)


@drawing.picture(height=3.4)
def _reliability(ax: Any, every: tuple[Tensor, Tensor], few: tuple[Tensor, Tensor]) -> None:
    ax.plot([0, 1], [0, 1], color="#555555", linewidth=1)
    for found, marker, label in ((every, "o-", "MNIST, all presets"), (few, "s--", "digits, few labels")):
        curve = reliability(*found)
        shown = curve.count >= LEAST
        ax.plot(curve.confidence[shown], curve.accuracy[shown], marker, label=label)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="share that is right")
    ax.legend(loc="upper left")
