"""Caltech-101 as the paper uses it: 102 classes with the background, gray, 143x143 after local normalisation.

torchvision's Caltech101 is not this data set: it drops the background class and trusts any folder.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from multistage.data import manifest
from multistage.data.dataset import Dataset
from multistage.data.download import Archive, obtain
from multistage.data.images import read_rgb, resize_longer_side, to_gray
from multistage.layers.contrast_norm import blur_matrix, gaussian_window, local_contrast_norm
from multistage.registry.errors import DataError
from multistage.storage.cache import cached

Variance = Literal["one_pass", "two_pass"]

MARGIN = 4
"""Pixels that the 9x9 local normalisation cuts off at every side: 151 becomes 143."""

STRAY = ("BACKGROUND_Google/tmp",)
"""A stray file in the original archive."""

SKIP_ADVICE = "leave them out with data.skip_damaged=true"

SOURCE = Archive(
    name="Caltech-101",
    url="https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
    size_mb=137,
    licence="CC BY 4.0",
    folder="caltech101/101_ObjectCategories",
    inner="101_ObjectCategories.tar.gz",
)


def read_caltech101(root: Path, side: int, variance: Variance, skip: bool) -> Dataset:
    """All 9,144 images, preprocessed; verified against the manifest, downloaded if absent, decoded once.

    With ``data.skip_damaged=true`` files that are missing, changed or stray are left out, and named in the result.

    Raises:
        DataError: Files missing, changed or stray, by name; or absent and not to be downloaded.
    """
    expected = manifest.read("caltech101")
    folder = obtain(SOURCE, root, expected)
    advice = f"{SKIP_ADVICE}, or {SOURCE.advice(root)}"
    skipped = manifest.verify(folder, expected, ignored=STRAY, advice=advice, skip=skip)
    kept = {name: digest for name, digest in expected.items() if name not in skipped}
    content_hash = manifest.digest(kept)
    names = sorted(kept)
    tensors = cached(
        "caltech101",
        f"{content_hash} {side} {variance} v1",
        lambda: decode([folder / n for n in names], side, variance),
    )
    return folders_dataset(names, tensors["images"], content_hash, sorted(expected), skipped)


def folders_dataset(
    names: Sequence[str],
    images: Tensor,
    content_hash: str,
    all_names: Sequence[str] | None = None,
    skipped: tuple[str, ...] = (),
) -> Dataset:
    """The data set of images whose names are ``class/file``.

    Args:
        names: One an image.
        images: Preprocessed, float32 [n, 1, side, side].
        content_hash: SHA-256 of what was read.
        all_names: Those of the whole data set, so that a class keeps its place even if none of its images is left.
        skipped: Names of files that were left out.
    """
    class_names = tuple(sorted({name.split("/")[0] for name in all_names or names}))
    label = {name: number for number, name in enumerate(class_names)}
    labels = torch.tensor([label[name.split("/")[0]] for name in names], dtype=torch.int64)
    return Dataset(images, labels, class_names, names, None, content_hash, skipped)


def decode(paths: Sequence[Path], side: int, variance: Variance, skip: bool = False) -> dict[str, Tensor]:
    """Read and preprocess image files.

    Args:
        paths: Of the n files.
        side: Of the results, pixels.
        variance: See `preprocess`.
        skip: Leave out files that cannot be read.

    Returns:
        ``images`` float32 [m, 1, side, side], and ``kept`` int64 [m]: which of the paths they come from.

    Raises:
        DataError: Files that cannot be read, by name.
    """
    images = torch.empty(len(paths), 1, side, side)
    refusals: dict[int, DataError] = {}

    def decode_one(index: int) -> None:
        try:
            images[index] = prepare(read_rgb(paths[index]), side, variance)
        except DataError as refusal:
            refusals[index] = refusal

    with ThreadPoolExecutor() as pool:
        list(pool.map(decode_one, range(len(paths))))
    if refusals and not skip:
        first, *others = sorted(refusals)
        names = manifest.some([str(paths[index]) for index in others])
        more = f" (and {len(others)} more: {names})" if others else ""
        raise DataError(f"{refusals[first]}{more}; restore or remove such files, or {SKIP_ADVICE}")
    kept = torch.tensor([index for index in range(len(paths)) if index not in refusals], dtype=torch.int64)
    return {"images": images[kept] if refusals else images, "kept": kept}


def prepare(image: np.ndarray, side: int = 143, variance: Variance = "one_pass") -> Tensor:
    """Gray, resize, normalise: any image, uint8 [h, w] or [h, w, 3], to float32 [1, side, side]."""
    return preprocess(resize_longer_side(to_gray(image), side + 2 * MARGIN), variance)


def preprocess(gray: np.ndarray, variance: Variance = "one_pass") -> Tensor:
    """The paper's preprocessing of a gray image (section 4), after resizing.

    Subtract the image's mean, divide by its standard deviation; normalise locally with the 9x9 Gaussian window and a
    floor of 1, where the window fits (a side too short for it is continued); pad with zeros to a square, centred (an
    odd row or column goes last).

    Args:
        gray: uint8 [h, w], its longer side 151.
        variance: ``"one_pass"``: local variance E[x^2] - E[x]^2, as the authors' demo has it; ``"two_pass"``: the mean
            square of what the local mean leaves, as the thesis writes it (and as `local_contrast_norm`).

    Returns:
        float32 [1, 143, 143] (longer side - 8).

    Raises:
        ValueError: An unknown `variance`.

    Source: paper, section 4; the authors' demo, whose output `golden/` holds.
    """
    height, width = gray.shape
    if min(height, width) <= 2 * MARGIN:
        gray = np.pad(gray, [(0, max(0, 2 * MARGIN + 1 - side)) for side in gray.shape], mode="edge")
        height, width = gray.shape
    x = torch.from_numpy(gray.astype(np.float64))
    deviation = x.std()
    x = (x - x.mean()) / torch.where(deviation > 0, deviation, 1)
    inside = slice(MARGIN, -MARGIN)
    if variance == "one_pass":
        window = gaussian_window(2 * MARGIN + 1)
        rows, columns = blur_matrix(height, window)[inside], blur_matrix(width, window)[inside].T
        mean = rows @ x @ columns
        local_variance = (rows @ x.square() @ columns - mean.square()).clamp_min(0)
        normalised = (x[inside, inside] - mean) / local_variance.sqrt().clamp_min(1)
    elif variance == "two_pass":
        normalised = local_contrast_norm(x[None, None], floor=1.0, border="renormalise")[0, 0, inside, inside]
    else:
        raise ValueError(f"variance must be 'one_pass' or 'two_pass', not {variance!r}")
    return pad_to_square(normalised)[None].float()


def pad_to_square(image: Tensor) -> Tensor:
    """Zeros around [h, w] to make it square and centred; an odd row or column goes last."""
    height, width = image.shape
    side = max(height, width)
    square = image.new_zeros(side, side)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    return square
