"""A folder or list of images of any size, bit depth and colour: ``data=image_folder data.root=PATH``.

Draws choose training and test images unless the folder has its own split (see `multistage.data.listing`).
"""

from pathlib import Path

import torch

from multistage.data import listing
from multistage.data.dataset import Dataset
from multistage.data.files import Files, Prepare


def list_folder(root: Path, shape: tuple[int, int, int], prepare: Prepare, specification: str) -> Dataset:
    """List the images of a folder or a list, without reading them.

    Args:
        root: The folder or list.
        shape: (maps, height, width) of the prepared images.
        prepare: From a file's content to a prepared image.
        specification: Cache key of everything that `prepare` does.

    Raises:
        DataError: See `multistage.data.listing.read`.
    """
    found, notes = listing.read(root)
    class_names = tuple(sorted({image.label for image in found}))
    number = {name: label for label, name in enumerate(class_names)}
    parts = {part: torch.tensor([image.part == part for image in found]) for part in ("test", "validation")}
    return Dataset(
        Files([image.path for image in found], (len(found), *shape), prepare, specification, {}),
        torch.tensor([number[image.label] for image in found], dtype=torch.int64),
        class_names,
        [image.name for image in found],
        is_test=parts["test"] if parts["test"].any() else None,
        content_hash="",
        is_validation=parts["validation"] if parts["validation"].any() else None,
        notes=notes,
        paths=[image.path for image in found],
        is_list=root.is_file(),
    )
