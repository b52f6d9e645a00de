"""Test a trained network on corrupted test images."""

from dataclasses import replace

import torch
from torch import Tensor

from multistage.data.corruptions import CORRUPTIONS, STRENGTHS, Corrupted
from multistage.data.dataset import Dataset, Picked
from multistage.network.net import MultiStageNet
from multistage.settings.tree import Settings
from multistage.train.evaluation import accuracy, as_tested, predict


def check(settings: Settings, dataset: Dataset, indices: Tensor) -> None:
    """Refuse, before training, images that cannot be corrupted.

    Raises:
        DataError: As for `accuracies`.
    """
    images = Corrupted(settings.data, dataset, next(iter(CORRUPTIONS)), strength=0, seed=0)
    for index in torch.split(indices, 1) if dataset.paths else [indices[:1]]:  # those in memory are of one type
        images[index]


def accuracies(
    settings: Settings, net: MultiStageNet, dataset: Dataset, indices: Tensor, device: torch.device
) -> dict[str, list[float]]:
    """Return the mean accuracy over classes for each corruption, by name, at each of `STRENGTHS`.

    The seed is the draw: all networks of a draw see the same corrupted images.

    Args:
        settings: The run's settings.
        net: The trained network, with its classifier.
        dataset: The data set.
        indices: Numbers of the images, int64 [n].
        device: Device to compute on.

    Raises:
        DataError: An image cannot be read again, or cannot be corrupted.
    """
    module = as_tested(net, settings)
    labels, classes = dataset.labels[indices], len(dataset.class_names)

    def measured(name: str, strength: int) -> float:
        images = Corrupted(settings.data, dataset, name, strength, settings.draw.draw)
        inputs = Picked(replace(dataset, images=images), indices)
        return accuracy(predict(module, inputs, settings.batch_size, device), labels, classes, average="macro")

    return {name: [measured(name, strength) for strength in STRENGTHS] for name in CORRUPTIONS}
