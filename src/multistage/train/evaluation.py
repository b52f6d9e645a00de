"""What a trained network says of images, and how often it is right."""

import csv
import io
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy

from multistage.train.batches import Inputs


def accuracy(predicted: Tensor, labels: Tensor, classes: int, average: str = "micro") -> float:
    """Fraction of right predictions (micro), or its mean over classes (macro), the paper's figure."""
    return float(multiclass_accuracy(predicted, labels, classes, average=average))  # type: ignore[arg-type]


@torch.no_grad()
def scores(module: nn.Module, inputs: Inputs, batch_size: int, device: torch.device) -> Tensor:
    """What a module says of each input, float32 [n, classes]."""
    module.to(device).eval()
    batches = torch.split(torch.arange(len(inputs)), batch_size)
    found = torch.cat([module(inputs[numbers].to(device)).cpu() for numbers in batches])
    module.cpu()
    return found


def predict(module: nn.Module, inputs: Inputs, batch_size: int, device: torch.device) -> Tensor:
    """The class with the highest score for each input, int64 [n]."""
    return scores(module, inputs, batch_size, device).argmax(1)


def confusion_table(counts: Tensor, names: Sequence[str]) -> str:
    """Counts [true class, predicted class] as CSV with the names of both."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["true class", *names])
    table.writerows([name, *row] for name, row in zip(names, counts.tolist(), strict=True))
    return text.getvalue()
