"""Whether a folder or list has any colour image; cached."""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from multistage.data import listing, manifest
from multistage.registry.errors import DataError


@lru_cache
def colour_of(root: str, most: int) -> Literal["gray", "rgb"]:
    """Return rgb if any image of at most `most` pixels has colour, else gray; also gray if there are no images.

    Raises:
        DataError: An existing file cannot be read.
    """
    from multistage.data.images import has_colour

    try:
        paths = [image.path for image in listing.read(Path(root))[0]]
    except DataError:
        return "gray"
    try:  # in colour data sets, usually the first image has colour
        return "rgb" if has_colour(Path(paths[0]), most) or _any(paths, most) else "gray"
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}; run again, or type data.colour") from None


def _any(paths: Sequence[str], most: int) -> bool:
    """Whether any has colour; cached until the size or time of a file changes."""
    import torch

    from multistage.data.decoder import decoder
    from multistage.data.images import has_colour
    from multistage.storage.cache import cached

    def build() -> dict[str, torch.Tensor]:
        return {"any": torch.tensor(any(has_colour(Path(path), most) for path in paths))}

    files = manifest.digest({path: _state(path) for path in paths})
    return bool(cached("colour", f"{files} {most} {decoder()}", build)["any"])


def _state(path: str) -> str:
    """Return a text that changes when the file does."""
    with suppress(FileNotFoundError):
        found = os.stat(path)  # noqa: PTH116  a path an image
        return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
    return "missing"
