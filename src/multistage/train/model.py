"""A trained run, ready for images of any kind: files, folders, Pillow's images, arrays.

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
"""A file, a file's content, Pillow's image, or pixels: [h, w] or [h, w, 3] of any depth, uint8 [h, w, 2 or 4] with
opacity last."""

P = TypeVar("P")


class Model(MultiStageNet):
    """The network of a trained run, which prepares images as the run did.

    Attributes:
        settings: Of the run.
    """

    settings: Settings

    def prepare(self, picture: Picture) -> Tensor:
        """An image as the network takes it, by the run's own preparation: float32 [maps, height, width].

        Raises:
            DataError: Not an image that can be read.
        """
        data = self.settings.data
        if not isinstance(picture, str | Path | bytes | Image.Image | np.ndarray):
            raise DataError(
                f"a {type(picture).__name__} is not an image; expected a file, its content, Pillow's image or a NumPy "
                "array [h, w] or [h, w, 3]"
            )
        if isinstance(picture, np.ndarray):
            picture = np.asarray(picture)  # of its own kinds, as masked ones, too
            if picture.ndim == 2 or picture.shape[2:] == (3,):
                return data.prepare(_levels(picture))
            if picture.dtype != np.uint8 or picture.shape[2:] not in ((2,), (4,)):
                raise _no_image(picture)
            picture = Image.fromarray(picture)
        return data.prepare(data.decode(_path(picture) if isinstance(picture, str | Path) else picture))

    @torch.inference_mode()
    def scores(self, prepared: Sequence[Tensor]) -> Predictions:
        """What the network says of prepared images.

        Raises:
            MultistageError: Scores that are no finite numbers.
        """
        training = self.training
        like = next(self.parameters())
        self.eval()  # or statistics of these images would count, and stay
        said = self.settings.views.scores(self, torch.stack(list(prepared)).to(like), self.settings.readout.logistic)
        self.train(training)
        if not said.isfinite().all():
            raise MultistageError("the network of this run gives scores that are not finite numbers; train it again")
        return Predictions(tuple(self.class_names), said, self.settings.readout.logistic)

    def predict(self, pictures: Picture | Iterable[Picture], batch_size: int = 32) -> Predictions:
        """Classify images.

        Args:
            pictures: One or several; a folder stands for all image files in it and below, sorted.
            batch_size: Images at a time.

        Raises:
            DataError: One cannot be read; or there is none.
        """
        return classified(pictures, batch_size, self.prepare, self.scores)


def classified(
    pictures: Picture | Iterable[Picture],
    batch_size: int,
    prepare: Callable[[Picture], P],
    scores: Callable[[Sequence[P]], Predictions],
) -> Predictions:
    """What is said of images, a batch at a time.

    Args:
        pictures: One or several; a folder stands for all image files in it and below, sorted.
        batch_size: Images at a time.
        prepare: From an image to what `scores` takes.
        scores: Of prepared images.

    Raises:
        DataError: One cannot be read; or there is none.
    """
    one = isinstance(pictures, str | Path | bytes | Image.Image | np.ndarray) or not isinstance(pictures, Iterable)
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
    """Pixels as the decoder gives those of a file: uint8, or float64 if they are of more depth.

    Raises:
        DataError: None, or some that are no finite numbers.
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
    """Images, each folder replaced by the image files in it and below, sorted by name, without hidden ones."""
    for picture in pictures:
        if isinstance(picture, str | Path) and str(picture) and (root := _path(picture)).is_dir():
            files = (root / name for name, _ in listing.files_below(root, ".", {}))
            yield from (file for file in sorted(files) if _is_image(file))
        else:
            yield picture


def _path(name: str | Path) -> Path:
    """A path, ``~`` expanded.

    Raises:
        DataError: An empty text, which is no path.
    """
    if not str(name):
        raise DataError("'' is not an image; expected the name of a file or folder")
    return Path(os.path.expanduser(name))  # noqa: PTH111  which leaves what has no home as it is


def _is_image(file: Path) -> bool:
    """Whether a file is one by its name, or, if its name has no such end, by its content."""
    if file.suffix.lower() in suffixes():
        return file.is_file() or not file.exists()  # a link that leads nowhere is named when it is read
    return not file.suffix and is_image(file)


def suffixes() -> frozenset[str]:
    """Ends of the names of image files, in small letters."""
    Image.init()
    return frozenset(suffix for suffix, kind in Image.EXTENSION.items() if kind in FORMATS)
