"""A data set before any draw, its images in memory or in files."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

IN_MEMORY = 800_000_000
"""Maximum size of prepared images in memory, bytes; larger sets are read batch by batch."""

BLOCK = 256
"""Images standardised at once; bounds the working memory."""


class Images(Protocol):
    """Images that can be indexed by number; a tensor is one such.

    Attributes:
        dtype: uint8 as decoded, or float32 if already preprocessed.
        shape: (n, maps, height, width).
    """

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def shape(self) -> Sequence[int]: ...

    def __getitem__(self, indices: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Some:
    """A subset of a data set's images in memory, indexed by their numbers in the data set.

    Attributes:
        values: float32 [m, maps, height, width].
        indices: Their numbers, int64 [m], ascending.
        length: Number of images in the data set.
    """

    values: Tensor
    indices: Tensor
    length: int
    dtype = torch.float32

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (n, maps, height, width) of the data set."""
        return self.length, *self.values.shape[1:]

    def __getitem__(self, indices: Tensor) -> Tensor:
        return self.values[positions(self.indices, indices)]


@dataclass(frozen=True)
class Dataset:
    """All images of a data set.

    Attributes:
        images: [n, maps, height, width].
        labels: int64 [n], from 0.
        class_names: One name for each class.
        names: One name for each image, the same on every machine; draws are a function of the names.
        is_test: bool [n], the official split; None if the draw decides.
        content_hash: SHA-256 of what was read; "" before reading.
        skipped: Names of damaged, missing and unexpected files that were left out on request.
        is_validation: bool [n], held-out images of an official split; None if the draw decides.
        notes: Other remarks for the user, one sentence each.
        flat: Numbers of images (from files) without any contrast, known after reading.
        several: Numbers of images whose files have more pages or frames, which are not used; known after reading.
        paths: Files of the images, one for each; () if decoded images are in memory.
        is_list: Whether a list gives the labels, so that names do not have them.
        copies: Images whose files have the bytes of an earlier used image, with that one; known after reading.
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
    is_list: bool = False
    copies: Mapping[int, int] = field(default_factory=dict)

    def pixels(self, indices: Tensor) -> Tensor:
        """Return images as the network takes them: float32 [len(indices), maps, height, width]."""
        chosen = self.images[indices]
        return standardise(chosen) if chosen.dtype == torch.uint8 else chosen

    def fits(self, count: int) -> bool:
        """Whether this many images, as the network takes them, may be in memory at once."""
        maps, height, width = self.images.shape[1:]
        return 4 * count * maps * height * width <= IN_MEMORY

    def inputs(self, indices: Tensor) -> "Tensor | Picked":
        """Return `pixels` as a tensor if they come from memory and fit, else a view that makes them on access."""
        at_once = isinstance(self.images, Tensor) and self.fits(len(indices))
        return self.pixels(indices) if at_once else Picked(self, indices)


@dataclass(frozen=True)
class Picked:
    """A subset of a data set's images, made on access.

    Attributes:
        dataset: The data set.
        indices: Their numbers in it.
    """

    dataset: Dataset
    indices: Tensor

    @property
    def in_memory(self) -> bool:
        """Whether no image is read from a file."""
        return isinstance(self.dataset.images, Tensor | Some)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, numbers: Tensor) -> Tensor:
        return self.dataset.pixels(self.indices[numbers])


def positions(ascending: Tensor, numbers: Tensor) -> Tensor:
    """Return where each of some numbers is among others, int64 [len(numbers)].

    Args:
        ascending: int64 [m], each once.
        numbers: int64, some of them.

    Raises:
        IndexError: One is not among them.
    """
    found = torch.searchsorted(ascending, numbers)
    if not torch.equal(ascending[found.clamp_max(len(ascending) - 1)], numbers):
        raise IndexError(f"some of {len(numbers)} images are not among the {len(ascending)} that are there")
    return found


def standardise(images: Tensor) -> Tensor:
    """Standardise each image to mean 0 and standard deviation 1 over its pixels and maps; a flat one to 0.

    There are no statistics over images, so test images cannot leak and a single image can be classified.

    Args:
        images: uint8 [n, maps, height, width].

    Returns:
        float32, same shape.
    """
    result = torch.empty(images.shape)
    for x, block in zip(torch.split(result, BLOCK), torch.split(images, BLOCK), strict=True):
        x.copy_(block)
        x -= x.mean((1, 2, 3), keepdim=True, dtype=torch.float64)  # exact for integers, so flat images give 0
        deviation = x.square().mean((1, 2, 3), keepdim=True).sqrt_()
        x /= torch.where(deviation > 0, deviation, 1)
    return result


def hash_tensors(*tensors: Tensor) -> str:
    """Return the SHA-256 of the bytes of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
