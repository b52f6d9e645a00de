"""Missing data sets: downloaded where that is dependable, else one line says what to fetch from where."""

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

from multistage.data import manifest
from multistage.data.fetching import Bounded, Readable, alone, fetch, fetch_any
from multistage.registry.errors import DataError, MissingDataError, one_line

if TYPE_CHECKING:
    from multistage.data.official import Official

log = logging.getLogger(__name__)

TAR = ".tar.gz"


@dataclass(frozen=True)
class Archive:
    """Where a data set comes from.

    Attributes:
        name: As people know it.
        url: A zip file.
        size_mb: Of the download, megabytes.
        unpacked_mb: Of what it holds.
        licence: Of the data.
        folder: Where its files belong, below the data root.
        mark: What lies in that folder, as `check_root` takes it.
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


def obtain(archive: Archive, root: Path, expected: dict[str, str]) -> Path:
    """The folder of a data set, downloaded if it is not there; complete and verified, or not there at all.

    Args:
        archive: Where from.
        root: The data root.
        expected: Manifest: relative path -> SHA-256. Nothing else is unpacked.

    Raises:
        MissingDataError: No connection, a wrong or damaged archive, no space; says what to fetch by hand.
        DataError: The root is the data set itself.
    """
    folder = root / archive.folder
    if _holds_files(folder):
        return folder
    check_root(root, archive.folder, archive.mark)
    try:
        with alone(root, archive.name) as scratch:
            if not _holds_files(folder):  # another process has fetched it meanwhile
                _fetch(archive, scratch, folder, expected)
    except Exception as error:  # damaged archives raise nearly everything in the unpackers
        if isinstance(error, HTTPError):
            error.close()
        reason = f"could not be downloaded ({one_line(error)})"
        raise MissingDataError(f"{archive.name} {reason}; {archive.advice(root)}") from None
    return folder


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


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


def _copy(source: Readable, target: Path) -> str:
    """Copy and return the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while block := source.read(1 << 20):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def download_if_missing(data: "Official") -> None:
    """Fetch the files of a data set that are not there; each is there as a whole or not at all.

    Raises:
        MissingDataError: Missing and not to be downloaded.
        DataError: The root is the data set itself.
    """
    root = Path(data.root)
    folder = root / data.folder
    if not _missing(data, folder):
        return
    check_root(root, data.folder, data.mark)
    try:
        with alone(root, data.kind) as scratch:
            for name in _missing(data, folder):  # of these another process may have fetched some meanwhile
                _fetch_packed(data, name, scratch)
    except Exception as error:
        lacking = manifest.some([name.removesuffix(".gz") for name in _missing(data, folder)])
        found = f"in {folder} lacks {lacking}, which" if _holds_files(folder) else f"is not in {folder} and"
        reason = f"could not be downloaded ({one_line(error)})"
        raise MissingDataError(f"{data.kind} {found} {reason}; {data.advice}") from None


def _missing(data: "Official", folder: Path) -> list[str]:
    """What has to be fetched."""
    return [
        name
        for name in data.packed
        if not (_holds_files(folder) if name.endswith(TAR) else (folder / name.removesuffix(".gz")).exists())
    ]


def _fetch_packed(data: "Official", name: str, scratch: Path) -> None:
    folder, expected = Path(data.root) / data.folder, data.packed[name]
    packed, unpacked = folder / name, scratch / "unpacked"
    if not packed.is_file() or manifest.file_digest(packed) != expected.sha256:  # fetched by hand
        log.warning("%s is not in %s; downloading %s (%.1f MB)", data.kind, folder, name, expected.size / 1e6)
        packed = fetch_any({address + name: scratch / name for address in data.mirrors}, expected)
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
