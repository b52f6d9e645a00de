"""lecture-14: the outputs of softmax estimate probabilities of classes."""

import torch
from torch import Tensor, nn

from audit.instruments.calibration import BINS, calibration_error, overconfidence, reliability
from audit.lecture import drawing
from audit.lecture.material import Material
from audit.lecture.section import Picture, Section, Table
from audit.lecture.trials import half_width
from multistage.records.intervals import Measured, mean_of
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

TEXT = (
    "If softmax estimates probabilities, then of the images to whose likeliest class it gives `p`, a share `p` "
    "must be right. This was measured on {images:,} test digits of MNIST, evenly over the classes, with the "
    "published trained networks of {presets} presets. The paper's (`abs_lcn_avgpool`) is right for {accuracy:.2f} "
    "at a mean confidence of {confidence:.2f}; its expected calibration error, the mean distance of confidence "
    "and accuracy in {bins} bins of equal width, is {error:.2f}, and over presets it lies between {least:.2f} and "
    "{most:.2f}. Such small numbers are easily had where {sure:.0f} of all confidences exceed {limit:g}. More "
    "telling are the {unsure:,} predictions, of all presets together, that do not: their mean confidence is "
    "{unsure_confidence:.1f}, and {unsure_accuracy:.1f} are right. Does it also hold where few labels were fitted "
    "without error? Trained on {few} digits a class for {few_epochs} epochs ({few_draws} draws, scikit-learn's "
    "digits), the same architecture gets {few_training:.0f} of its training images right, and of the others "
    "{few_accuracy:.1f} at a mean confidence of {few_confidence:.1f}: confidence minus accuracy is "
    "{few_over:+.1f} ± {few_over_half:.1f}, and the calibration error {few_error:.1f}. So the assertion holds for "
    "these networks, which are, if anything, less sure than they are right; networks that were trained much "
    "longer after they made no more errors were not measured."
)


def section(material: Material) -> Section:
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
    return Section(
        claim="lecture-14",
        title="Outputs of softmax as probabilities",
        text=TEXT,
        measured={
            "images": Measured(COUNT, "test digits of MNIST"),
            "presets": Measured(len(scores), "presets"),
            "bins": Measured(BINS, "bins"),
            "least_count": Measured(LEAST, "predictions that a bin of the picture has at least"),
            "accuracy": Measured(accuracy, f"accuracy of {PAPER} on them", "%"),
            "confidence": Measured(confidence, f"mean confidence of {PAPER} on them", "%"),
            "error": Measured(errors[PAPER], f"expected calibration error of {PAPER}", "%"),
            "least": Measured(min(errors.values()), "smallest expected calibration error of a preset", "%"),
            "most": Measured(max(errors.values()), "largest expected calibration error of a preset", "%"),
            "limit": Measured(SURE, "confidence that counts as sure"),
            "sure": Measured(100 * float((~unsure).double().mean()), "predictions of all presets that are sure", "%"),
            "unsure": Measured(int(unsure.sum()), "predictions of all presets that are not sure"),
            "unsure_confidence": Measured(unsure_confidence, "mean confidence of predictions that are not sure", "%"),
            "unsure_accuracy": Measured(unsure_accuracy, "accuracy of predictions that are not sure", "%"),
            **few,
        },
        pictures=[_picture(every, every_label, few_scores, few_labels)],
        tables=[_table(scores, labels)],
    )


@torch.inference_mode()
def _scores(net: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([net(some) for some in torch.split(x, 250)])


def _accuracy_and_confidence(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """Both in percent."""
    accuracy = 100 * float((scores.argmax(1) == labels).double().mean())
    return accuracy, accuracy + 100 * overconfidence(scores, labels)


def _with_few_labels(material: Material) -> tuple[dict[str, Measured], Tensor, Tensor]:
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
    whats = {
        "few_training": ("accuracy on training images", "%"),
        "few_accuracy": ("accuracy on the others", "%"),
        "few_confidence": ("mean confidence on the others", "%"),
        "few_error": ("expected calibration error", "%"),
        "few_over": ("confidence minus accuracy", "points"),
    }
    measured = {
        name: mean_of(column, f"{what}, {FEW} labels a class, digits", unit)
        for (name, (what, unit)), column in zip(whats.items(), zip(*rows, strict=True), strict=True)
    }
    measured |= {
        "few": Measured(FEW, "labels a class"),
        "few_epochs": Measured(EPOCHS, "epochs of training on them"),
        "few_draws": Measured(DRAWS, "draws"),
        "few_over_half": half_width(measured["few_over"]),
    }
    return measured, torch.cat(every), torch.cat(every_label)


def _table(scores: dict[str, Tensor], labels: Tensor) -> Table:
    rows = []
    for name, found in scores.items():
        accuracy, confidence = _accuracy_and_confidence(found, labels)
        rows.append([name, f"{accuracy:.2f}", f"{confidence:.2f}", f"{100 * calibration_error(found, labels):.2f}"])
    heads = ["model", "accuracy, %", "mean confidence, %", "calibration error, %"]
    return Table(heads, rows, "Calibration of every trained preset on {images:,} test digits of MNIST.")


def _picture(scores: Tensor, labels: Tensor, few_scores: Tensor, few_labels: Tensor) -> Picture:
    with drawing.figure(height=3.4) as (drawn, axes):
        ax = axes[0, 0]
        ax.plot([0, 1], [0, 1], color="#555555", linewidth=1)
        for s, y, marker, label in (
            (scores, labels, "o-", "MNIST, all presets"),
            (few_scores, few_labels, "s--", "digits, few labels"),
        ):
            curve = reliability(s, y)
            shown = curve.count >= LEAST
            ax.plot(curve.confidence[shown], curve.accuracy[shown], marker, label=label)
        ax.set_xlim(0, 1.02)
        ax.set_ylim(0, 1.02)
        ax.set_xlabel("confidence")
        ax.set_ylabel("share that is right")
        ax.legend(loc="upper left")
        caption = (
            "Share of right predictions against their confidence, in {bins} bins; those with fewer than {least_count} "
            "predictions are left out. On the diagonal confidence is what it says; below it, too high."
        )
        return Picture("lecture-14-reliability", drawing.png(drawn), caption)
