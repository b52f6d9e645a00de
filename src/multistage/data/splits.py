"""Draws, random splits: which images train, validate and test.

Within a class, images are ordered by the SHA-256 of draw and image name. The first `train_per_class` train, the next
`test_per_class` test, and validation images are the last of the training images. This depends on no library's random
numbers, and holding out validation images leaves the test images as they were.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from multistage.data.dataset import Dataset
from multistage.registry.errors import DataError


@dataclass(frozen=True)
class Split:
    """Indices into a data set, int64, ascending; `digest` is the SHA-256 of the names behind them."""

    train: Tensor
    validation: Tensor
    test: Tensor
    digest: str


def draw_split(
    dataset: Dataset, draw: int, train_per_class: int | None, test_per_class: int | None, validation: int = 0
) -> Split:
    """Choose images of every class.

    Args:
        dataset: Where from.
        draw: Which choice.
        train_per_class: Training images a class, validation included; None for all (where test images are given).
        test_per_class: At most this many test images a class; None for all that remain.
        validation: How many of the training images of each class are held out.

    Raises:
        DataError: A class without enough images, named; or nothing left to test.
    """
    if dataset.is_test is None and train_per_class is None:
        raise DataError(
            "data.train_per_class=null leaves no test images in a data set without official ones; choose a number"
        )
    parts: dict[str, list[Tensor]] = {"train": [], "validation": [], "test": []}
    for label, class_name in enumerate(dataset.class_names):
        members = (dataset.labels == label).nonzero().flatten()
        if dataset.is_test is None:
            members = _shuffled(members, dataset, draw)
            train, test = members[:train_per_class], members[train_per_class:]
        else:
            of_test = dataset.is_test[members]
            train = _shuffled(members[~of_test], dataset, draw)[:train_per_class]
            test = _shuffled(members[of_test], dataset, draw)
        wanted = len(train) if train_per_class is None else train_per_class
        if len(train) < wanted or len(test) == 0 or len(train) <= validation:
            raise DataError(
                f"class {class_name!r} has {len(members)} images, too few for data.train_per_class={train_per_class}, "
                f"data.validation={validation} and at least one test image; choose smaller numbers or add images"
            )
        parts["train"].append(train[: len(train) - validation])
        parts["validation"].append(train[len(train) - validation :])
        parts["test"].append(test[:test_per_class])
    chosen = {part: torch.cat(indices).sort().values for part, indices in parts.items()}
    return Split(**chosen, digest=_digest(dataset, chosen))


def _shuffled(members: Tensor, dataset: Dataset, draw: int) -> Tensor:
    def order(index: int) -> bytes:
        return hashlib.sha256(f"{draw}/{dataset.names[index]}".encode()).digest()

    return torch.tensor(sorted(members.tolist(), key=order), dtype=torch.int64)


def _digest(dataset: Dataset, chosen: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for part, indices in chosen.items():
        names = "\n".join(dataset.names[i] for i in indices.tolist())
        digest.update(f"[{part}]\n{names}\n".encode())
    return digest.hexdigest()
