"""Missing data sets: downloaded where that is dependable, else one line says what to fetch from where."""

import hashlib
import logging
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.error import HTTPError
from urllib.request import urlopen

from multistage.registry.errors import DataError, one_line

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """Where a data set comes from.

    Attributes:
        name: As people know it.
        url: A zip file.
        size_mb: Of the download, megabytes.
        licence: Of the data.
        folder: Where its files belong, below the data root.
        mark: What lies in that folder, as `check_root` takes it.
        inner: Name of the tar file inside the zip that holds the data.
    """

    name: str
    url: str
    size_mb: int
    licence: str
    folder: str
    mark: str
    inner: str

    def advice(self, root: Path) -> str:
        """What a person has to do where the download fails."""
        return (
            f"fetch {self.url} ({self.size_mb} MB, {self.licence}), unpack it so that its class folders lie in "
            f"{root / self.folder}, or set data.root or MULTISTAGE_DATA to a folder that holds {self.folder}"
        )


def check_root(root: Path, folder: str, mark: str) -> None:
    """Refuse to fetch a data set into a folder that is the data set itself, or lies in it.

    Args:
        root: The data root, which holds no such data set.
        folder: Where the files of the data set belong, below a data root.
        mark: A pattern of names that stand in such a folder and hardly in another.

    Raises:
        DataError: It is; says what to type.
    """
    root, (first, *others) = Path(os.path.abspath(root)), Path(folder).parts  # noqa: PTH100  a link keeps its name
    for parent in root.parents:
        files = parent / folder
        if root.is_relative_to(parent / first) and files.is_dir() and any(files.iterdir()):
            raise DataError(f"data.root={root} is the data set itself; type data.root={parent}")
    for files in (root, root.joinpath(*others)):
        if any(files.glob(mark)):
            raise DataError(f"data.root={root} is a data set itself; its files have to lie in {folder} below data.root")


@contextmanager
def undone(*paths: Path) -> Iterator[None]:
    """What is fetched into these paths goes again if that fails, and so do the folders that were made for it."""
    new = {each for path in paths for each in (path, *path.parents) if not each.exists()}
    try:
        yield
    except BaseException:
        for path in new.intersection(paths):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        for folder in sorted(new, reverse=True):
            with suppress(OSError):  # another process has put something there
                folder.rmdir()
        raise


def obtain(archive: Archive, root: Path, expected: dict[str, str]) -> Path:
    """The folder of a data set, downloaded if it is not there; complete and verified, or not there at all.

    Args:
        archive: Where from.
        root: The data root.
        expected: Manifest: relative path -> SHA-256. Nothing else is unpacked.

    Raises:
        DataError: No connection, a wrong or damaged archive, no space; says what to fetch by hand. Or the root is the
            data set itself.
    """
    folder = root / archive.folder
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    check_root(root, archive.folder, archive.mark)
    log.warning("%s is not in %s; downloading %s MB (%s)", archive.name, folder, archive.size_mb, archive.licence)
    try:
        with undone(folder):
            _fetch(archive, root, folder, expected)
    except Exception as error:  # damaged archives raise nearly everything in the unpackers
        if isinstance(error, HTTPError):
            error.close()
        raise DataError(f"{archive.name} could not be downloaded ({one_line(error)}); {archive.advice(root)}") from None
    return folder


def _fetch(archive: Archive, root: Path, folder: Path, expected: dict[str, str]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
        packed, unpacked = Path(scratch) / "archive.zip", Path(scratch) / "unpacked"
        with urlopen(archive.url, timeout=60) as response, packed.open("wb") as file:
            shutil.copyfileobj(response, file)
        with zipfile.ZipFile(packed) as outer:
            inner = next((name for name in outer.namelist() if PurePosixPath(name).name == archive.inner), None)
            if inner is None:
                raise ValueError(f"{archive.url} holds no {archive.inner}")
            with outer.open(inner) as packed_tar, tarfile.open(fileobj=packed_tar, mode="r|*") as tar:
                _unpack(tar, expected, unpacked)
        folder.parent.mkdir(parents=True, exist_ok=True)
        unpacked.rename(folder)


def _unpack(tar: tarfile.TarFile, expected: dict[str, str], folder: Path) -> None:
    """Write only members that the manifest lists, checking each; a member is known by its last two names."""
    missing = dict(expected)
    for member in tar:
        name = "/".join(PurePosixPath(member.name).parts[-2:])
        source = tar.extractfile(member) if name in missing and member.isreg() else None
        if source is None:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if _copy(source, target) != missing.pop(name):
            raise ValueError(f"{name} in the downloaded archive differs from the manifest")
    if missing:
        raise ValueError(f"the downloaded archive lacks {len(missing)} files, {min(missing)} among them")


def _copy(source: IO[bytes], target: Path) -> str:
    """Copy and return the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while block := source.read(1 << 20):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
