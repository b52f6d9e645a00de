"""Caltech-101 as the paper uses it: 102 classes with the background, 143x143 after local normalisation.

torchvision's Caltech101 is not this data set: it drops the background class and trusts any folder.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from multistage.data import SKIP_ADVICE, data_sets, manifest
from multistage.data.dataset import Dataset
from multistage.data.decoder import decoder
from multistage.data.download import Archive, obtain
from multistage.data.files import Files, Prepare
from multistage.storage.cache import cached

STRAY = ("BACKGROUND_Google/tmp",)
"""A stray file in the original archive."""

SOURCE = Archive(
    name="Caltech-101",
    url="https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
    size_mb=137,
    unpacked_mb=140,
    licence="CC BY 4.0",
    folder=data_sets["caltech101"].folder,
    mark="BACKGROUND_Google",
    inner="101_ObjectCategories.tar.gz",
)


def read_caltech101(
    root: Path, shape: tuple[int, int, int], prepare: Prepare, specification: str, skip: bool
) -> Dataset:
    """Read all 9,144 images, preprocessed; verified against the manifest, downloaded if absent, decoded once.

    With ``data.skip_damaged=true``, missing, changed and unexpected files are left out and named in the result.

    Args:
        root: The data root.
        shape: (maps, height, width) of the prepared images.
        prepare: From a file's content to a prepared image.
        specification: Cache key of everything that `prepare` does.
        skip: Whether to leave out missing, changed and unexpected files.

    Raises:
        DataError: Missing, changed or unexpected files, by name; or a failed download.
    """
    expected = manifest.read("caltech101")
    folder = obtain(SOURCE, root, expected)
    advice = f"{SKIP_ADVICE}, or {SOURCE.advice(root)}"
    skipped = manifest.verify(folder, expected, ignored=STRAY, advice=advice, skip=skip)
    kept = {name: digest for name, digest in expected.items() if name not in skipped}
    content_hash = manifest.digest(kept)
    names = sorted(kept)
    files = Files([str(folder / name) for name in names], (len(names), *shape), prepare, specification, {})
    everything = torch.arange(len(names))
    source = f"{content_hash} {specification} {decoder()}"
    tensors = cached("caltech101", source, lambda: {"images": files[everything]}, limited=True)
    dataset = folders_dataset(names, tensors["images"], content_hash, sorted(expected), skipped)
    return replace(dataset, paths=files.paths)


def folders_dataset(
    names: Sequence[str],
    images: Tensor,
    content_hash: str,
    all_names: Sequence[str] | None = None,
    skipped: tuple[str, ...] = (),
) -> Dataset:
    """Make a data set of images named ``class/file``.

    Args:
        names: One for each image.
        images: Preprocessed, float32 [n, 1, side, side].
        content_hash: SHA-256 of what was read.
        all_names: Names in the whole data set, so that a class keeps its index even if none of its images is left.
        skipped: Names of files that were left out.
    """
    class_names = tuple(sorted({name.split("/")[0] for name in all_names or names}))
    label = {name: number for number, name in enumerate(class_names)}
    labels = torch.tensor([label[name.split("/")[0]] for name in names], dtype=torch.int64)
    return Dataset(images, labels, class_names, names, None, content_hash, skipped)
