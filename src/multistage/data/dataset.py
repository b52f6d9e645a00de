"""A data set before any draw, its images in memory or in files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

IN_MEMORY = 800_000_000
"""Bytes of prepared images that are held at once; of more than that, each batch is read when its turn comes."""

BLOCK = 256
"""Images that are standardised at once, which bounds the memory beside the result."""


class Images(Protocol):
    """Images by number; a tensor is one.

    Attributes:
        dtype: uint8 as decoded, or float32 where preprocessing is already done.
        shape: (n, maps, height, width).
    """

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def shape(self) -> Sequence[int]: ...

    def __getitem__(self, indices: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Some:
    """Some images of a data set in memory, by their numbers in it.

    Attributes:
        values: float32 [m, maps, height, width].
        indices: Which these are, int64 [m], ascending.
        length: How many the data set has.
    """

    values: Tensor
    indices: Tensor
    length: int
    dtype = torch.float32

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, maps, height, width) of the data set."""
        return self.length, *self.values.shape[1:]

    def __getitem__(self, indices: Tensor) -> Tensor:
        return self.values[torch.searchsorted(self.indices, indices)]


@dataclass(frozen=True)
class Dataset:
    """All images of a data set.

    Attributes:
        images: [n, maps, height, width].
        labels: int64 [n], from 0.
        class_names: One name a class.
        names: One name an image, the same on every machine: draws are a function of these.
        is_test: bool [n], the official split; None where the draw decides.
        content_hash: SHA-256 of what was read; "" as long as nothing was.
        skipped: Names of damaged, missing and stray files that were left out, on request only.
        is_validation: bool [n], images that an official split holds out; None where the draw decides.
        notes: What else a person should know of what was found, a sentence each.
        flat: Numbers of images in files that lack any contrast, known once these were read.
        several: Numbers of images whose files have further ones, pages or frames, that are not used; known likewise.
        paths: Of the files that images lie in, one an image; () where these are kept in memory as they were decoded.
    """

    images: Images
    labels: Tensor
    class_names: tuple[str, ...]
    names: Sequence[str]
    is_test: Tensor | None
    content_hash: str
    skipped: tuple[str, ...] = ()
    is_validation: Tensor | None = None
    notes: tuple[str, ...] = ()
    flat: tuple[int, ...] = ()
    several: tuple[int, ...] = ()
    paths: Sequence[str] = ()

    def pixels(self, indices: Tensor) -> Tensor:
        """Images as the network takes them: float32 [len(indices), maps, height, width]."""
        chosen = self.images[indices]
        return standardise(chosen) if chosen.dtype == torch.uint8 else chosen

    def fits(self, count: int) -> bool:
        """Whether so many images, as the network takes them, may be held in memory at once."""
        maps, height, width = self.images.shape[1:]
        return 4 * count * maps * height * width <= IN_MEMORY

    def inputs(self, indices: Tensor) -> "Tensor | Picked":
        """`pixels`, at once if they are made of bytes in memory and fit there, else whenever some are asked for."""
        at_once = isinstance(self.images, Tensor) and self.fits(len(indices))
        return self.pixels(indices) if at_once else Picked(self, indices)


@dataclass(frozen=True)
class Picked:
    """Some images of a data set, which are taken from it whenever they are asked for.

    Attributes:
        dataset: Theirs.
        indices: Their numbers in it.
    """

    dataset: Dataset
    indices: Tensor

    @property
    def in_memory(self) -> bool:
        """Whether nothing is read from files."""
        return isinstance(self.dataset.images, Tensor | Some)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, numbers: Tensor) -> Tensor:
        return self.dataset.pixels(self.indices[numbers])


def standardise(images: Tensor) -> Tensor:
    """Each image by itself to mean 0 and standard deviation 1 (over all its pixels and maps); a flat one to 0.

    No statistic is taken over images, so that nothing of test images can leak and one image alone can be classified.

    Args:
        images: uint8 [n, maps, height, width].

    Returns:
        float32, same shape.
    """
    result = torch.empty(images.shape)
    for x, block in zip(torch.split(result, BLOCK), torch.split(images, BLOCK), strict=True):
        x.copy_(block)
        x -= x.mean((1, 2, 3), keepdim=True, dtype=torch.float64)  # exact for whole numbers, so that flat images give 0
        deviation = x.square().mean((1, 2, 3), keepdim=True).sqrt_()
        x /= torch.where(deviation > 0, deviation, 1)
    return result


def hash_tensors(*tensors: Tensor) -> str:
    """SHA-256 of the bytes of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
