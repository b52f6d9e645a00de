"""Scores, predictions and accuracies of trained networks."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy

from multistage.network.views import Views, mean_scores
from multistage.registry.errors import MultistageError
from multistage.registry.words import harmless
from multistage.settings.tree import Settings
from multistage.train.batches import Inputs


@dataclass(frozen=True)
class Predictions:
    """Predictions of a model for n images.

    Attributes:
        class_names: One name for each class.
        scores: float32 [n, classes]; the highest is the prediction.
        logistic: Whether the softmax of scores estimates probabilities; otherwise scores are margins.
    """

    class_names: tuple[str, ...]
    scores: Tensor
    logistic: bool

    @property
    def labels(self) -> list[str]:
        """Return the name of the predicted class of each image."""
        return [self.class_names[index] for index in self.scores.argmax(1).tolist()]

    @property
    def probabilities(self) -> Tensor:
        """Return probabilities, float32 [n, classes].

        Raises:
            MultistageError: The run's readout has only margins.
        """
        if not self.logistic:
            raise MultistageError("this run's readout gives margins, not probabilities; read `scores` instead")
        return self.scores.softmax(1)

    def best(self, top: int) -> list[list[tuple[str, float]]]:
        """Return the `top` best classes of each image with their probabilities (or margins)."""
        values, indices = (self.probabilities if self.logistic else self.scores).topk(min(top, len(self.class_names)))
        return [
            [(self.class_names[index], value) for index, value in zip(*row, strict=True)]
            for row in zip(indices.tolist(), values.tolist(), strict=True)
        ]


def averaged(said: Sequence[Predictions]) -> Predictions:
    """Average predictions of several models for the same images: probabilities, or else margins.

    Args:
        said: At least one; with the same classes, and either all or none with probabilities.
    """
    return replace(said[0], scores=mean_scores([each.scores for each in said], said[0].logistic))


def accuracy(predicted: Tensor, labels: Tensor, classes: int, average: str = "micro") -> float:
    """Return the fraction of correct predictions (micro), or its mean over classes (macro), the paper's figure."""
    found = multiclass_accuracy(predicted, labels, classes, average=average)  # type: ignore[arg-type]
    return min(1.0, float(found))  # a float32 mean of ones may be 1 + 1.2e-7


class Viewed(nn.Module):
    """A network whose scores are averaged over views of the images.

    Args:
        net: From images to scores [n, classes].
        views: The views.
        logistic: As in `Predictions`.
    """

    def __init__(self, net: nn.Module, views: Views, logistic: bool) -> None:
        super().__init__()
        self.net, self.views, self.logistic = net, views, logistic

    def forward(self, x: Tensor) -> Tensor:
        return self.views.scores(self.net, x, self.logistic)


def as_tested(net: nn.Module, settings: Settings) -> nn.Module:
    """Return a network with the views of a run's settings: itself if there is one view."""
    return Viewed(net, settings.views, settings.readout.logistic) if settings.views.several else net


@torch.no_grad()
def scores(module: nn.Module, inputs: Inputs, batch_size: int, device: torch.device) -> Tensor:
    """Compute the scores of each input, float32 [n, classes]."""
    module.to(device).eval()
    found = torch.empty(0)
    for numbers in torch.split(torch.arange(len(inputs)), batch_size):
        said = module(inputs[numbers].to(device))
        if not len(found):  # one tensor for all: a list of small ones would fragment the memory
            found = torch.empty(len(inputs), said.shape[1])
        found[numbers] = said.cpu()
    module.cpu()
    return found


def predict(module: nn.Module, inputs: Inputs, batch_size: int, device: torch.device) -> Tensor:
    """Return the class with the highest score for each input, int64 [n]."""
    return scores(module, inputs, batch_size, device).argmax(1)


def confusion_table(counts: Tensor, names: Sequence[str]) -> str:
    """Write counts [true class, predicted class] as CSV with the names of both."""
    rows = ([name, *row] for name, row in zip(names, counts.tolist(), strict=True))
    return as_csv(["true class", *names], rows)


def prediction_table(images: Sequence[str], labels: Tensor, said: Predictions) -> str:
    """Write each test image with its class, the predicted class and its probability (or margin), as CSV."""
    names = [said.class_names[label] for label in labels.tolist()]
    best = [row[0] for row in said.best(1)]
    rows = ([*words, f"{value:.4f}"] for *words, (_, value) in zip(images, names, said.labels, best, strict=True))
    return as_csv(["image", "class", "predicted", "probability" if said.logistic else "margin"], rows)


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table as CSV; an apostrophe protects cells that a spreadsheet would take for formulas."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(map(harmless, header))
    table.writerows(list(map(harmless, row)) for row in rows)
    return text.getvalue()
