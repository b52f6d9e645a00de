"""Test a trained model on the test images of its run, and on all images outside training."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from multistage.data import Stored, drawn
from multistage.data.dataset import Dataset
from multistage.records.runs import Record
from multistage.registry.errors import DataError
from multistage.settings.tree import parse
from multistage.train.evaluation import Predictions, accuracy
from multistage.train.model import Model

BATCH = 32
"""Batch size."""


@dataclass(frozen=True)
class Images:
    """Images outside the training set of a run.

    Attributes:
        dataset: The data set.
        numbers: Their numbers in it.
        own: Which of these are the run's test images, bool.
    """

    dataset: Dataset
    numbers: Tensor
    own: Tensor

    @cached_property
    def labels(self) -> Tensor:
        """Of all that remain."""
        return self.dataset.labels[self.numbers]

    @cached_property
    def names(self) -> list[str]:
        """Of the run's test images."""
        return [self.dataset.names[n] for n in self.numbers[self.own].tolist()]

    @cached_property
    def all_names(self) -> list[str]:
        """Of all that remain."""
        return [self.dataset.names[n] for n in self.numbers.tolist()]

    def figures(self, said: Predictions) -> dict[str, Any]:
        """What a record says of what was said of these images: ``metrics``, ``correct``, and ``remaining`` if there
        are more than the run's test images.
        """
        found: dict[str, Any] = {"metrics": self._accuracies(said, self.own), "correct": self.correct(said)}
        if not self.own.all():
            found["remaining"] = self._accuracies(said, torch.ones_like(self.own))
        return found

    def correct(self, said: Predictions) -> list[int]:
        """Count the correct test images of the run in each class."""
        right = self.labels[self.own & (said.scores.argmax(1) == self.labels)]
        return torch.bincount(right, minlength=len(said.class_names)).tolist()

    def _accuracies(self, said: Predictions, some: Tensor) -> dict[str, float]:
        predicted, labels, classes = said.scores.argmax(1)[some], self.labels[some], len(said.class_names)
        return {
            "images": len(labels),
            "test_accuracy": accuracy(predicted, labels, classes),
            "test_mean_class_accuracy": accuracy(predicted, labels, classes, average="macro"),
        }


def images(record: Record) -> Images:
    """Return the images outside a run's training set, from $MULTISTAGE_DATA if set, else from the run's data root.

    Raises:
        DataError: They are missing, or differ from the run's.
    """
    settings = parse(record["config"])
    data, draw = settings.data, settings.draw
    root = os.environ.get("MULTISTAGE_DATA")
    if root and isinstance(data, Stored) and not data.root_is_content:
        data = replace(data, root=root)
    dataset, split = drawn(data, draw)
    found = {"data_hash": dataset.content_hash, "split_hash": split.digest}
    for field, value in found.items():
        if record[field] != value:
            raise DataError(
                f"data={data.name} here are not the images of the run: {field} was {record[field]}, is {value}"
            )
    remaining = split.test
    if draw.test_per_class is not None and isinstance(dataset.images, Tensor):
        remaining = replace(draw, test_per_class=None).of(dataset).test
    return Images(dataset, remaining, torch.isin(remaining, split.test))


def answers(model: Model, images: Images) -> Predictions:
    """Compute a model's scores for all images outside training."""
    parts = torch.split(images.numbers, BATCH)
    said = [model.scores(list(images.dataset.pixels(part))) for part in parts]
    return replace(said[0], scores=torch.cat([each.scores for each in said]))


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Describe the figures that differ."""
    found = []
    for name, value in before.items():
        other = now.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            found += [f"{name}.{words}" for words in differing(value, other)]
        elif value != other:
            found.append(f"{name} was {value}, is {other}")
    return found
