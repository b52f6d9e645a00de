"""Where a run begins or goes on."""

from pathlib import Path

import yaml

from multistage.records import runs
from multistage.registry.errors import MultistageError
from multistage.settings.tree import Config
from multistage.storage import durable
from multistage.train.checkpoint import origin


def begin(folder: Path, config: Config, identity: runs.Record) -> Path | None:
    """Prepare the run's folder; what an interrupted run of the same identity left is gone on with.

    Args:
        folder: The run's folder, claimed.
        config: The run's configuration.
        identity: Complete.

    Returns:
        The last good checkpoint, or None: the run begins anew.

    Raises:
        ConfigError: A checkpoint of another run lies there; says what differs.
        MultistageError: The folder cannot be written.
    """
    good = None
    if config["overwrite"] is not True:
        for path in (folder / runs.CHECKPOINT, folder / runs.PREVIOUS):
            before = origin(path)
            if before is None:
                continue
            if not (differing := runs.differences(before, config, identity)):
                good = path.replace(folder / runs.CHECKPOINT)
                break
            if config["overwrite"] is False:
                raise runs.another(folder, differing)
    try:
        for name in (runs.RESULT, runs.FAILURE, runs.WEIGHTS, runs.FILTERS, runs.CONFUSION):
            (folder / name).unlink(missing_ok=True)
        if good is None:
            runs.forget_checkpoints(folder)
            (folder / runs.METRICS).unlink(missing_ok=True)
        durable.write(folder / runs.CONFIG, yaml.safe_dump(dict(config), sort_keys=False).encode())
    except OSError as error:
        raise MultistageError(f"{folder} cannot be written: {error.strerror}") from None
    return good
