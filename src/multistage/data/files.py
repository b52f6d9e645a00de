"""Images in files, read once a draw has chosen them.

If they fit in memory, they are prepared once and cached; otherwise each batch is read on access, so memory does not
grow with their number.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from multistage.data import manifest
from multistage.data.dataset import Dataset, Some
from multistage.data.decoder import decoder
from multistage.data.images import has_several
from multistage.registry.errors import DataError
from multistage.storage import durable
from multistage.storage.cache import cached

log = logging.getLogger(__name__)

AT_A_TIME, BYTES = 256, 64_000_000
"""Images in one round of the reading threads, and the maximum size of a round when prepared, bytes."""

Prepare = Callable[[bytes], Tensor]


class Read(NamedTuple):
    """An image from a file, or why there is none; and whether the file has more pages or frames."""

    image: Tensor
    refusal: DataError | None = None
    several: bool = False


@dataclass(frozen=True)
class Files:
    """Images in files, not read yet; as `Images`, each is read on access.

    Attributes:
        paths: The files.
        shape: (n, maps, height, width) of the prepared images.
        prepare: From a file's content to float32 [maps, height, width]; raises DataError.
        specification: Cache key of everything that `prepare` does.
        digests: SHA-256 of files that were read before, by path; a file that changed since then is refused.
    """

    paths: Sequence[str]
    shape: tuple[int, int, int, int]
    prepare: Prepare
    specification: str
    digests: dict[str, str]
    dtype = torch.float32

    def __getitem__(self, indices: Tensor) -> Tensor:
        images = torch.empty(len(indices), *self.shape[1:])
        for position, found in self._each(indices):
            if found.refusal is not None:
                raise found.refusal
            images[position] = found.image
        return images

    def hashed(self, indices: Tensor) -> dict[str, str]:
        """Return the SHA-256 of files, by path.

        Raises:
            DataError: One cannot be read.
        """
        paths = [self.paths[index] for index in indices.tolist()]
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            digests: list[str] = []
            for start in range(0, len(paths), AT_A_TIME):
                digests += pool.map(lambda path: manifest.file_digest(Path(path)), paths[start : start + AT_A_TIME])
        return dict(zip(paths, digests, strict=True))

    def checked(self, indices: Tensor, keep: bool) -> dict[str, Tensor]:
        """Read images once.

        Args:
            indices: Their numbers.
            keep: Whether to return their pixels.

        Returns:
            ``unreadable``, ``flat`` and ``several`` (pages or frames, of which the first is used), bool [n], and with
            `keep` ``images`` float32 [n, maps, height, width].

        Raises:
            DataError: A file cannot be read or has changed (not an error of the image itself).
        """
        found = {name: torch.zeros(len(indices), dtype=torch.bool) for name in ("unreadable", "flat", "several")}
        images = torch.zeros(len(indices) if keep else 0, *self.shape[1:])
        for position, (image, refusal, several) in self._each(indices, count=True):
            found["unreadable"][position] = refusal is not None
            found["flat"][position] = refusal is None and not image.any()
            found["several"][position] = several
            if keep and refusal is None:
                images[position] = image
        return {**found, **({"images": images} if keep else {})}

    def _each(self, indices: Tensor, count: bool = False) -> Iterator[tuple[int, Read]]:
        """Yield position and image of each; with `count`, check also whether the file has several.

        Raises:
            DataError: As for `checked`.
        """

        def read(index: int) -> Read:
            path = self.paths[index]
            try:
                with durable.opened(Path(path)) as file:
                    content = file.read()
                if path in self.digests and durable.digest(content) != self.digests[path]:
                    raise DataError(f"{path}: changed while it was read; run again")
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror}; run again") from None
            try:
                return Read(self.prepare(content), several=count and has_several(content))
            except MemoryError:
                raise DataError(f"{path} cannot be read: there is not enough memory; run again") from None
            except DataError as refusal:
                return Read(torch.empty(0), DataError(f"{path}: {refusal}"))

        threads = torch.get_num_threads()
        together = max(threads, min(AT_A_TIME, BYTES // (4 * math.prod(self.shape[1:]))))
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(indices), together):
                chosen = indices[start : start + together].tolist()
                yield from enumerate(pool.map(read, chosen), start)


def read_used(dataset: Dataset, used: Tensor) -> tuple[Dataset, list[int]]:
    """Read the images that a split uses, if they are in files.

    Args:
        dataset: A data set whose images may be `Files`.
        used: Numbers of images, int64 [m], ascending.

    Returns:
        The data set with these images and their ``content_hash``, and the numbers of those that cannot be read.

    Raises:
        DataError: A file has disappeared, or changed during reading.
    """
    if not isinstance(dataset.images, Files):
        return dataset, []
    digests = dataset.images.hashed(used)
    files = replace(dataset.images, digests=digests)
    numbers = used.tolist()
    contents = manifest.digest({dataset.names[n]: digests[files.paths[n]] for n in numbers})
    keep = dataset.fits(len(used))
    source = f"{contents} {files.specification} {keep} pages {decoder()}"

    def holds(entry: dict[str, Tensor]) -> bool:
        """Whether unreadable images are still unreadable: data.max_pixels or Pillow may have changed."""
        return bool(files.checked(used[entry["unreadable"]], keep=False)["unreadable"].all())

    found = cached("images", source, lambda: files.checked(used, keep), limited=True, holds=holds)
    unreadable = used[found["unreadable"]].tolist()
    flat, several = (tuple(used[found[name]].tolist()) for name in ("flat", "several"))
    images = Some(found["images"], used, len(dataset.names)) if keep else files
    content_hash = _with_labels(contents, dataset, numbers) if dataset.is_list else contents
    copies = _copies({number: digests[files.paths[number]] for number in numbers})
    ready = replace(dataset, images=images, content_hash=content_hash, flat=flat, several=several, copies=copies)
    return ready, unreadable


def _with_labels(contents: str, dataset: Dataset, numbers: Iterable[int]) -> str:
    """Digest contents and labels; a file's name does not have the label that a list gives it."""
    labels = dataset.labels.tolist()
    lines = [contents, *(f"{dataset.names[n]}\t{dataset.class_names[labels[n]]}" for n in numbers)]
    return durable.digest("\n".join(lines).encode())


def _copies(digests: Mapping[int, str]) -> dict[int, int]:
    """Return the images whose files have the bytes of an earlier image, with that one."""
    first: dict[str, int] = {}
    for number, digest in digests.items():
        first.setdefault(digest, number)
    return {number: first[digest] for number, digest in digests.items() if first[digest] != number}


def refuse(dataset: Dataset, unreadable: Sequence[int], advice: str) -> None:
    """Raise the error for unreadable images.

    Raises:
        DataError: Always; with the reason for the first one.
    """
    assert isinstance(dataset.images, Files)
    first, *others = (dataset.images.paths[number] for number in unreadable)
    more = f" (and {len(others)} more: {manifest.some(others)})" if others else ""
    try:
        dataset.images[torch.tensor(unreadable[:1])]
    except DataError as refusal:
        raise DataError(f"{refusal}{more}; restore or remove such files, or {advice}") from None
    raise DataError(f"{first} changed while it was read{more}; run again")


def without(dataset: Dataset, left_out: Sequence[int]) -> Dataset:
    """Return a data set without some images, and log which; their classes stay."""
    names = [dataset.names[number] for number in left_out]
    log.warning("%d files that cannot be read are left out (%s)", len(names), manifest.some(names))
    kept = torch.ones(len(dataset.names), dtype=torch.bool)
    kept[torch.tensor(left_out, dtype=torch.int64)] = False
    numbers = kept.nonzero().flatten().tolist()
    files = dataset.images
    assert isinstance(files, Files)
    images = replace(files, paths=[files.paths[n] for n in numbers], shape=(len(numbers), *files.shape[1:]))

    def of(part: Tensor | None) -> Tensor | None:
        return None if part is None else part[kept]

    return replace(
        dataset,
        images=images,
        labels=dataset.labels[kept],
        names=[dataset.names[n] for n in numbers],
        is_test=of(dataset.is_test),
        is_validation=of(dataset.is_validation),
        skipped=tuple(sorted([*dataset.skipped, *names])),
        paths=images.paths,
    )
