"""Download missing data sets if there is a reliable source; else one line says what to fetch and from where."""

import gzip
import hashlib
import logging
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from multistage.data import holds_files, manifest
from multistage.data.fetching import Bounded, Readable, alone, fetch, fetch_any
from multistage.registry.errors import DataError, MissingDataError, one_line

if TYPE_CHECKING:
    from multistage.data.official import Official

log = logging.getLogger(__name__)

TAR = ".tar.gz"


@dataclass(frozen=True)
class Archive:
    """The source of a data set.

    Attributes:
        name: Its usual name.
        url: A zip file.
        size_mb: Size of the download, megabytes.
        unpacked_mb: Size of its content, megabytes.
        licence: Licence of the data.
        folder: Folder of its files, below the data root.
        mark: A pattern of names in that folder, for `check_root`.
        inner: Name of the tar file inside the zip that holds the data.
    """

    name: str
    url: str
    size_mb: int
    unpacked_mb: int
    licence: str
    folder: str
    mark: str
    inner: str

    def advice(self, root: Path) -> str:
        """Say what the user has to do if the download fails."""
        return (
            f"fetch {self.url} ({self.size_mb} MB, {self.licence}), unpack it so that its class folders lie in "
            f"{root / self.folder}, or set data.root or MULTISTAGE_DATA to a folder that holds {self.folder}"
        )


def check_root(root: Path, folder: str, mark: str) -> None:
    """Refuse to download a data set into a folder that is the data set itself, or inside it.

    Args:
        root: The data root, where the data set was not found.
        folder: Folder of the data set's files, below a data root.
        mark: A pattern of names that is typical of this folder.

    Raises:
        DataError: It is such a folder; the message says what to type.
    """
    root, (first, *others) = Path(os.path.abspath(root)), Path(folder).parts  # noqa: PTH100  a link keeps its name
    for parent in root.parents:
        files = parent / folder
        if root.is_relative_to(parent / first) and holds_files(files):
            raise DataError(f"data.root={root} is the data set itself; type data.root={parent}")
    for files in (root, root.joinpath(*others)):
        if any(files.glob(mark)):
            raise DataError(f"data.root={root} is a data set itself; its files must be in {folder} below data.root")


def obtain(archive: Archive, root: Path, expected: dict[str, str]) -> Path:
    """Return the folder of a data set, after downloading it if it is missing; it is complete and verified, or absent.

    Args:
        archive: Its source.
        root: The data root.
        expected: Manifest: relative path -> SHA-256. Nothing else is unpacked.

    Raises:
        MissingDataError: No connection, a wrong or damaged archive, no space; says what to download manually.
        DataError: The root is the data set itself.
    """
    folder = root / archive.folder
    if holds_files(folder):
        return folder
    check_root(root, archive.folder, archive.mark)
    try:
        with alone(root, archive.name) as scratch:
            if not holds_files(folder):  # another process may have fetched it while we waited
                _fetch(archive, scratch, folder, expected)
    except Exception as error:  # damaged archives raise almost any exception in the unpackers
        if isinstance(error, HTTPError):
            error.close()
        reason = f"could not be downloaded ({one_line(error)})"
        raise MissingDataError(f"{archive.name} {reason}; {archive.advice(root)}") from None
    return folder


def _fetch(archive: Archive, scratch: Path, folder: Path, expected: dict[str, str]) -> None:
    log.warning("%s is not in %s; downloading %s MB (%s)", archive.name, folder, archive.size_mb, archive.licence)
    packed, unpacked = scratch / "archive.zip", scratch / "unpacked"
    fetch(archive.url, packed, archive.size_mb * 10**6 * 11 // 10)
    with zipfile.ZipFile(packed) as outer:
        inner = next((name for name in outer.namelist() if PurePosixPath(name).name == archive.inner), None)
        if inner is None:
            raise ValueError(f"{archive.url} holds no {archive.inner}")
        with outer.open(inner) as packed_tar, gzip.open(packed_tar) as whole_tar:
            bounded = Bounded(whole_tar, archive.unpacked_mb * 10**6 * 3 // 2)
            with tarfile.open(fileobj=bounded, mode="r|") as tar:
                _unpack(tar, expected, unpacked)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unpacked.rename(folder)


def _unpack(tar: tarfile.TarFile, expected: dict[str, str], folder: Path) -> None:
    """Write only members that the manifest lists, and verify each; the last two names identify a member."""
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


def _copy(source: Readable, target: Path) -> str:
    """Copy a stream and return its SHA-256."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while block := source.read(1 << 20):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def download_if_missing(data: "Official") -> None:
    """Download the missing files of a data set; each is complete or absent.

    Raises:
        MissingDataError: Files are missing and the download failed.
        DataError: The root is the data set itself.
    """
    root = Path(data.root)
    if not _missing(data):
        return
    check_root(root, data.folder, data.mark)
    try:
        with alone(root, data.kind) as scratch:
            for name in _missing(data):  # another process may have fetched some of these while we waited
                _fetch_packed(data, name, scratch)
    except Exception as error:
        lacking = manifest.some([name.removesuffix(".gz") for name in _missing(data)])
        found = f"in {data.place} lacks {lacking}, which" if data.has_files else f"is not in {data.place} and"
        reason = f"could not be downloaded ({one_line(error)})"
        raise MissingDataError(f"{data.kind} {found} {reason}; {data.advice}") from None


def _missing(data: "Official") -> list[str]:
    """Return what has to be downloaded."""
    return [
        name
        for name in data.packed
        if not (data.has_files if name.endswith(TAR) else (data.place / name.removesuffix(".gz")).exists())
    ]


def _fetch_packed(data: "Official", name: str, scratch: Path) -> None:
    folder, expected = data.place, data.packed[name]
    unpacked = scratch / "unpacked"
    packed = (folder.parent if name.endswith(TAR) else folder) / name
    if not packed.is_file() or manifest.file_digest(packed) != expected.sha256:  # downloaded manually
        log.warning("%s is not in %s; downloading %s (%.1f MB)", data.kind, folder, name, expected.size / 1e6)
        packed = scratch / name
        fetch_any([address + name for address in data.mirrors], packed, expected)
    if name.endswith(TAR):
        with tarfile.open(packed) as tar:
            tar.extractall(unpacked, filter="data")
        folder.parent.mkdir(parents=True, exist_ok=True)
        (unpacked / folder.name).rename(folder)
    else:
        with gzip.open(packed) as source:
            _copy(source, unpacked)
        folder.mkdir(parents=True, exist_ok=True)
        unpacked.replace(folder / name.removesuffix(".gz"))
