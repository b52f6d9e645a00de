"""Whether a sweep has its images, and whether its finished runs saw those that there are now."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from multistage.data import DataSet, Stored
from multistage.records import runs
from multistage.registry.errors import DataError, MissingDataError, MultistageError
from multistage.settings.naming import Run


def other_images(finished: Sequence[Run]) -> tuple[list[Run], dict[DataSet, str]]:
    """Finished runs that saw other images and that ``overwrite=changed`` does again; and data sets that are gone.

    Each of these is looked for, and perhaps downloaded, once: what is said of one run holds for the others, too.

    Returns:
        The runs; and why a data set cannot be read, which none of its runs can be done without.

    Raises:
        ConfigError: There are such runs and ``overwrite`` is false; says what differs.
    """
    from multistage.data import drawn, listed

    changed = []
    gone: dict[DataSet, str] = {}
    for run in finished:
        data = run.settings.data
        if data in gone:
            continue
        try:
            listed(data)
        except DataError as error:
            gone[data] = str(error)
            print(f"finished runs on data={data.name} cannot be checked: {error}", file=sys.stderr)
            continue
        try:
            dataset, split = drawn(data, run.settings.draw)
        except DataError as error:
            print(f"{run.folder} cannot be checked: {error}", file=sys.stderr)
            continue
        if runs.finished(run.folder, run.config, runs.identity(split.digest, dataset.content_hash)) is None:
            changed.append(run)
    return changed, gone


def missing(wanted: Iterable[DataSet]) -> dict[DataSet, str]:
    """Data sets of which nothing is there and that cannot be downloaded, and why; what else is wrong the runs say.

    Each is tried once, before processes of their own would try for each of their runs.
    """
    from multistage.data import listed

    gone: dict[DataSet, str] = {}
    for data in wanted:
        if isinstance(data, Stored) and not _holds_files(Path(data.root) / getattr(data, "folder", "")):
            try:
                listed(data)
            except MissingDataError as error:
                gone[data] = str(error)
            except (MultistageError, OSError):
                continue
    return gone


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
