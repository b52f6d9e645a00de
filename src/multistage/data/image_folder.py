"""Any folder of class folders of images, gray or colour, of any size: ``data=image_folder data.root=PATH``.

Images go through the paper's preprocessing, as Caltech-101 does; draws choose training and test images.
"""

import logging
from pathlib import Path

from multistage.data import manifest
from multistage.data.caltech101 import Variance, decode, folders_dataset
from multistage.data.dataset import Dataset
from multistage.registry.errors import DataError
from multistage.storage.cache import cached

log = logging.getLogger(__name__)


def read_folder(root: Path, side: int, variance: Variance, skip: bool) -> Dataset:
    """All images, float32 [n, 1, size, size]; with ``data.skip_damaged=true`` without those that cannot be read.

    Raises:
        DataError: No such folder, fewer than two class folders, or a file that is not an image that can be read.
    """
    if not root.is_dir():
        raise DataError(f"data.root={root} is not a folder; expected a folder of class folders of images")
    files = sorted(
        p for p in root.glob("*/*") if p.is_file() and not p.name.startswith(".") and not p.parent.name.startswith(".")
    )
    names = [p.relative_to(root).as_posix() for p in files]
    if len({name.split("/")[0] for name in names}) < 2:
        raise DataError(f"data.root={root} holds fewer than two class folders with images")
    for name in names:
        if not name.isprintable():  # which is no Unicode, or breaks lines
            raise DataError(f"{root / name} has characters in its name that cannot be shown; rename it")
    digests = {name: manifest.file_digest(path) for name, path in zip(names, files, strict=True)}
    tensors = cached(
        "image_folder",
        f"{manifest.digest(digests)} {side} {variance} {'without damaged files' if skip else 'whole'} v2",
        lambda: decode(files, side, variance, skip),
    )
    kept = [names[index] for index in tensors["kept"].tolist()]
    skipped = tuple(sorted({*names} - {*kept}))
    if skipped:
        log.warning(
            "%s: the run leaves out %d files that cannot be read (%s), and its result names all of them",
            *(root, len(skipped), manifest.some(skipped)),
        )
    content_hash = manifest.digest({name: digests[name] for name in kept})
    return folders_dataset(kept, tensors["images"], content_hash, names, skipped)
