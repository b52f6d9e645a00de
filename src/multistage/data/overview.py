"""Summary of a run's images, to check before trusting its figures."""

from typing import Any

import torch
from torch import Tensor

from multistage.data.dataset import Dataset
from multistage.data.manifest import some
from multistage.data.splits import Split

AT_A_TIME = 1024
"""Images in each batch of the check."""


def overview(dataset: Dataset, split: Split, colour: str | None = None) -> dict[str, Any]:
    """Count images and classes, and what was left out; plain values for a record.

    Args:
        dataset: The images.
        split: Which of them train, validate and test.
        colour: The setting ``data.colour``; None if the data set does not have it.

    Returns:
        ``images``, ``classes``, ``train`` and ``validation`` and ``test``, ``smallest`` and ``largest`` ([name, number
        of images]), ``colour`` (gray, rgb, yuv, or the number of maps), ``flat`` (number of used images without any
        contrast), ``notes`` (a sentence each).
    """
    counts = torch.bincount(dataset.labels, minlength=len(dataset.class_names)).tolist()
    ordered = sorted(zip(counts, dataset.class_names, strict=True))
    maps = dataset.images.shape[1]
    flat = _flat(dataset.images, split.used) if isinstance(dataset.images, Tensor) else dataset.flat
    several = [dataset.names[n] for n in dataset.several]
    trained = {dataset.copies.get(n, n) for n in split.train.tolist()}
    seen = [dataset.names[n] for n in split.test.tolist() if dataset.copies.get(n, n) in trained]
    left_out = f"{len(dataset.skipped)} damaged, missing or unexpected files are left out: {some(dataset.skipped)}"
    return {
        "images": len(dataset.labels),
        "classes": len(dataset.class_names),
        **{part: len(getattr(split, part)) for part in ("train", "validation", "test")},
        "smallest": [ordered[0][1], ordered[0][0]],
        "largest": [ordered[-1][1], ordered[-1][0]],
        "colour": colour or {1: "gray", 3: "rgb"}.get(maps, f"{maps} maps"),
        "flat": len(flat),
        "notes": [
            *dataset.notes,
            *([f"{len(flat)} flat, without any contrast: {some([dataset.names[n] for n in flat])}"] if flat else []),
            *([f"of {len(several)} with pages or frames the first is used: {some(several)}"] if several else []),
            *([f"{len(seen)} test images are copies of training images: {some(seen)}"] if seen else []),
            *([left_out] if dataset.skipped else []),
        ],
    }


def _flat(images: Tensor, used: Tensor) -> list[int]:
    """Return which of the used images have no contrast."""
    found: list[int] = []
    for some_of_them in torch.split(used, AT_A_TIME):
        pixels = images[some_of_them].flatten(1)
        found += some_of_them[pixels.amax(1) == pixels.amin(1)].tolist()
    return found
