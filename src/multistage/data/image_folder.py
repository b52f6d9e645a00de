"""Any folder of class folders of images, gray or colour, of any size: ``data=image_folder data.root=PATH``.

Images go through the paper's preprocessing, as Caltech-101 does; draws choose training and test images.
"""

from pathlib import Path

from multistage.config import Config
from multistage.data import manifest
from multistage.data.cache import cached
from multistage.data.caltech101 import decode, folders_dataset
from multistage.data.dataset import Dataset
from multistage.errors import DataError


def load(config: Config) -> Dataset:
    """All images, float32 [n, 1, size, size].

    Raises:
        DataError: No such folder, fewer than two class folders, or a file that is not an image that can be read.
    """
    root = Path(config["data.root"])
    if not root.is_dir():
        raise DataError(f"data.root={root} is not a folder; expected a folder of class folders of images")
    files = sorted(
        p for p in root.glob("*/*") if p.is_file() and not p.name.startswith(".") and not p.parent.name.startswith(".")
    )
    names = [p.relative_to(root).as_posix() for p in files]
    if len({name.split("/")[0] for name in names}) < 2:
        raise DataError(f"data.root={root} holds fewer than two class folders with images")
    content_hash = manifest.digest({name: manifest.file_digest(p) for name, p in zip(names, files, strict=True)})
    side, variance = config["data.image_size"], config["data.variance"]
    tensors = cached("image_folder", f"{content_hash} {side} {variance} v1", lambda: decode(files, side, variance))
    return folders_dataset(names, tensors["images"], content_hash)
