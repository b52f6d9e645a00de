"""What a trained network says of images, and how often it is right."""

import csv
import io
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy


def accuracy(predicted: Tensor, labels: Tensor, classes: int, average: str = "micro") -> float:
    """Fraction of right predictions (micro), or its mean over classes (macro), the paper's figure."""
    return float(multiclass_accuracy(predicted, labels, classes, average=average))  # type: ignore[arg-type]


@torch.no_grad()
def predict(module: nn.Module, x: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """The class with the highest score for each input, int64 [n]."""
    module.to(device).eval()
    scores = torch.cat([module(batch.to(device)).cpu() for batch in torch.split(x, batch_size)])
    module.cpu()
    return scores.argmax(1)


def confusion_table(counts: Tensor, names: Sequence[str]) -> str:
    """Counts [true class, predicted class] as CSV with the names of both."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["true class", *names])
    table.writerows([name, *row] for name, row in zip(names, counts.tolist(), strict=True))
    return text.getvalue()
