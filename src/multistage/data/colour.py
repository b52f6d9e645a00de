"""Whether a folder or list of images has any in colour, found out once and remembered."""

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
    """rgb if any image of at most so many pixels has colour, else gray; gray, too, if a run will find no images there.

    Raises:
        DataError: A file cannot be read, though it is there.
    """
    from multistage.data.images import has_colour

    try:
        paths = [image.path for image in listing.read(Path(root))[0]]
    except DataError:
        return "gray"
    try:  # where there is colour, the first image has it as a rule
        return "rgb" if has_colour(Path(paths[0]), most) or _any(paths, most) else "gray"
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}; run again, or type data.colour") from None


def _any(paths: Sequence[str], most: int) -> bool:
    """Whether any has colour, from the cache as long as all files are the same by size and times."""
    import torch

    from multistage.data.decoder import decoder
    from multistage.data.images import has_colour
    from multistage.storage.cache import cached

    def build() -> dict[str, torch.Tensor]:
        return {"any": torch.tensor(any(has_colour(Path(path), most) for path in paths))}

    files = manifest.digest({path: _state(path) for path in paths})
    return bool(cached("colour", f"{files} {most} {decoder()}", build)["any"])


def _state(path: str) -> str:
    """What changes with a file."""
    with suppress(FileNotFoundError):
        found = os.stat(path)  # noqa: PTH116  a path an image
        return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
    return "missing"
