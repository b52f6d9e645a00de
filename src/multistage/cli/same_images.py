"""Check that a sweep has its images, and that its finished runs used the same ones."""

import sys
from collections.abc import Iterable, Sequence

from multistage.data import DataSet, Stored
from multistage.records import runs
from multistage.registry.errors import DataError, MissingDataError, MultistageError
from multistage.settings.naming import Run


def other_images(finished: Sequence[Run]) -> tuple[list[Run], dict[DataSet, str]]:
    """Find finished runs with different images, which ``overwrite=changed`` repeats, and unreadable data sets.

    Each data set is looked for (and perhaps downloaded) once for all runs.

    Returns:
        The runs; and for each unreadable data set the reason, which stops all of its runs.

    Raises:
        ConfigError: There are such runs and ``overwrite`` is false; the message says what differs.
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
    """Return data sets that are missing and cannot be downloaded, with the reason; other errors are left to the runs.

    Each is tried once here, before separate processes would try it for each run.
    """
    from multistage.data import listed

    gone: dict[DataSet, str] = {}
    for data in wanted:
        if isinstance(data, Stored) and not data.has_files:
            try:
                listed(data)
            except MissingDataError as error:
                gone[data] = str(error)
            except (MultistageError, OSError):
                continue
    return gone
