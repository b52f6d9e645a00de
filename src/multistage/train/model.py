"""A trained run that classifies images: files, folders, Pillow images, arrays.

model = multistage.load("runs/...")
found = model.predict("photos/")
found.labels, found.probabilities
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multistage.data import listing
from multistage.data.images import FORMATS, is_image
from multistage.network.net import MultiStageNet
from multistage.registry.errors import DataError, MultistageError
from multistage.settings.tree import Settings
from multistage.train.evaluation import Predictions

Picture = str | Path | bytes | Image.Image | np.ndarray
"""A file, a file's content, a Pillow image, or pixels: [h, w] or [h, w, 3] of any depth, uint8 [h, w, 2 or 4] with
opacity last."""

P = TypeVar("P")


class Model(MultiStageNet):
    """The network of a trained run; it prepares images like the run.

    Attributes:
        settings: The run's settings.
    """

    settings: Settings

    def prepare(self, picture: Picture) -> Tensor:
        """Prepare an image like the run: float32 [maps, height, width].

        Raises:
            DataError: Not a readable image.
        """
        data = self.settings.data
        if not isinstance(picture, Picture):
            raise DataError(
                f"a {type(picture).__name__} is not an image; expected a file, its content, Pillow's image or a NumPy "
                "array [h, w] or [h, w, 3]"
            )
        if isinstance(picture, np.ndarray):
            picture = np.asarray(picture)  # also subclasses, such as masked arrays
            if picture.ndim == 2 or picture.shape[2:] == (3,):
                return data.prepare(_levels(picture))
            if picture.dtype != np.uint8 or picture.shape[2:] not in ((2,), (4,)):
                raise _no_image(picture)
            picture = Image.fromarray(picture)
        return data.prepare(data.decode(_path(picture) if isinstance(picture, str | Path) else picture))

    @torch.inference_mode()
    def scores(self, prepared: Sequence[Tensor]) -> Predictions:
        """Compute the scores of prepared images.

        Raises:
            MultistageError: Scores are not finite.
        """
        training = self.training
        like = next(self.parameters())
        self.eval()  # training mode would use and change statistics
        said = self.settings.views.scores(self, torch.stack(list(prepared)).to(like), self.settings.readout.logistic)
        self.train(training)
        if not said.isfinite().all():
            raise MultistageError("the network of this run gives scores that are not finite numbers; train it again")
        return Predictions(tuple(self.class_names), said, self.settings.readout.logistic)

    def predict(self, pictures: Picture | Iterable[Picture], batch_size: int = 32) -> Predictions:
        """Classify images.

        Args:
            pictures: One or several; a folder means all image files in it and below, sorted.
            batch_size: Images at a time.

        Raises:
            DataError: An image cannot be read, or there is none.
        """
        return classified(pictures, batch_size, self.prepare, self.scores)


def classified(
    pictures: Picture | Iterable[Picture],
    batch_size: int,
    prepare: Callable[[Picture], P],
    scores: Callable[[Sequence[P]], Predictions],
) -> Predictions:
    """Classify images in batches.

    Args:
        pictures: One or several; a folder means all image files in it and below, sorted.
        batch_size: Images at a time.
        prepare: From an image to an input of `scores`.
        scores: From prepared images to scores.

    Raises:
        DataError: An image cannot be read, or there is none.
    """
    one = isinstance(pictures, Picture) or not isinstance(pictures, Iterable)
    given: Iterable[Picture] = [pictures] if one else pictures  # type: ignore[list-item, assignment]
    found: list[Predictions] = []
    batch: list[P] = []
    for picture in expanded(given):
        batch.append(prepare(picture))
        if len(batch) == batch_size:
            found.append(scores(batch))
            batch = []
    if batch:
        found.append(scores(batch))
    if not found:
        raise DataError("there is no image to classify")
    return replace(found[0], scores=torch.cat([each.scores for each in found]))


def _levels(pixels: np.ndarray) -> np.ndarray:
    """Convert pixels to the decoder's types: uint8, or float64 for more depth.

    Raises:
        DataError: No pixels, or not finite.
    """
    if pixels.dtype.kind not in "buif" or not pixels.size or not np.isfinite(pixels).all():
        raise _no_image(pixels)
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    return pixels if pixels.dtype == np.uint8 else pixels.astype(np.float64)


def _no_image(array: np.ndarray) -> DataError:
    return DataError(
        f"an array {list(array.shape)} of {array.dtype} is not an image; expected finite numbers [h, w] or [h, w, 3], "
        "or uint8 [h, w, 2 or 4]"
    )


def expanded(pictures: Iterable[Picture]) -> Iterator[Picture]:
    """Replace each folder by the image files in it and below, sorted by name, without hidden ones."""
    for picture in pictures:
        if isinstance(picture, str | Path) and str(picture) and (root := _path(picture)).is_dir():
            files = (root / name for name, _ in listing.files_below(root, ".", {}))
            yield from (file for file in sorted(files) if _is_image(file))
        else:
            yield picture


def _path(name: str | Path) -> Path:
    """Return a path with ``~`` expanded.

    Raises:
        DataError: An empty text.
    """
    if not str(name):
        raise DataError("'' is not an image; expected the name of a file or folder")
    return Path(os.path.expanduser(name))  # noqa: PTH111  which leaves what has no home as it is


def _is_image(file: Path) -> bool:
    """Whether a file is an image by its suffix, or else by its content."""
    if file.suffix.lower() in suffixes():
        return file.is_file() or not file.exists()  # reading a broken link gives a message
    return not file.suffix and is_image(file)


def suffixes() -> frozenset[str]:
    """Return the suffixes of image files, in lower case."""
    Image.init()
    return frozenset(suffix for suffix, kind in Image.EXTENSION.items() if kind in FORMATS)
