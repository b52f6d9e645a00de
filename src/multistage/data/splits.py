"""Draws: random splits into training, validation and test images.

Within a class, images are ordered by the SHA-256 of draw and image name. The first `train_per_class` are training
images, the next `test_per_class` test images; validation images are the last of the training images. This depends on no
library's random numbers, and holding out validation images does not change the test images.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from multistage.data.dataset import Dataset
from multistage.registry.errors import DataError


@dataclass(frozen=True)
class Split:
    """Indices into a data set, int64, ascending; `digest` is the SHA-256 of their names."""

    train: Tensor
    validation: Tensor
    test: Tensor
    digest: str

    @property
    def used(self) -> Tensor:
        """Return all of these indices, ascending."""
        return torch.unique(torch.cat([self.train, self.validation, self.test]))


def draw_split(
    dataset: Dataset,
    draw: int,
    train_per_class: float | None,
    test_per_class: int | None,
    validation: float = 0,
) -> Split:
    """Choose images of every class.

    Args:
        dataset: The data set.
        draw: Index of the random choice.
        train_per_class: Training images of each class, including validation: a number, a fraction (below 1) of those
            available for training, or None for all (if the data set has test images).
        test_per_class: Maximum number of test images of each class; None for all that remain.
        validation: Training images of each class that are held out, a number or a fraction; 0 if the data set has
            validation images.

    Raises:
        DataError: A class with too few images, by name; or no test images left.
    """
    if dataset.is_test is None and train_per_class is None:
        raise DataError(
            "data.train_per_class=all leaves no test images in a data set without official ones; choose a number, or a "
            "share such as 0.8"
        )
    if dataset.is_validation is not None and validation:
        raise DataError(f"data.validation={validation} has no effect: the data set has validation images of its own")
    parts: dict[str, list[Tensor]] = {"train": [], "validation": [], "test": []}
    for label, class_name in enumerate(dataset.class_names):
        members = (dataset.labels == label).nonzero().flatten()
        held_out = members[:0]
        if dataset.is_validation is not None:
            own = dataset.is_validation[members]
            members, held_out = members[~own], _shuffled(members[own], dataset, draw)
        if dataset.is_test is None:
            members = _shuffled(members, dataset, draw)
            wanted = _count(train_per_class, len(members))
            train, test = members[:wanted], members[wanted:]
        else:
            of_test = dataset.is_test[members]
            if len(members) and of_test.all() | ~of_test.any():
                there, lacking = ("test", "train") if of_test.all() else ("train", "test")
                raise DataError(
                    f"class {class_name!r} has {len(members)} images to {there} and none to {lacking} in the data "
                    "set's own split; add some, or remove the class"
                )
            train = _shuffled(members[~of_test], dataset, draw)
            wanted = _count(train_per_class, len(train))
            train, test = train[:wanted], _shuffled(members[of_test], dataset, draw)
        held = _count(validation, len(train))
        if len(train) < wanted or len(test) == 0 or len(train) <= held:
            raise DataError(
                f"class {class_name!r} has {len(members)} images, too few for data.train_per_class={train_per_class}, "
                f"data.validation={validation} and at least one test image; choose smaller numbers or add images"
            )
        parts["train"].append(train[: len(train) - held])
        parts["validation"].append(torch.cat([train[len(train) - held :], held_out]))
        parts["test"].append(test[:test_per_class])
    chosen = {part: torch.cat(indices).sort().values for part, indices in parts.items()}
    return Split(**chosen, digest=_digest(dataset, chosen))


def _count(wanted: float | None, there: int) -> int:
    """Convert a number, a fraction (at least one image), or None for all, to a number."""
    if wanted is None:
        return there
    return int(wanted) if wanted == 0 or isinstance(wanted, int) else max(1, round(wanted * there))


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
