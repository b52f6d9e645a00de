"""`multistage.load`: a trained run by its folder, a shipped model by its name, or several as one."""

from pathlib import Path
from typing import overload

from multistage.records import shipped
from multistage.records.runs import WEIGHTS, read
from multistage.records.schema import SHIPPED
from multistage.registry.errors import ConfigError
from multistage.settings.tree import parse
from multistage.train.ensemble import Ensemble
from multistage.train.model import Model
from multistage.train.restore import restore

Runs = list[str] | list[Path] | list[Path | str] | tuple[Path | str, ...]


@overload
def load(run: Path | str) -> Model: ...


@overload
def load(run: Runs) -> Ensemble: ...


def load(run: Path | str | Runs) -> Model | Ensemble:
    """Load the trained network of a finished run, or the average of several.

    Args:
        run: The run's folder or a file in it, or the name of a shipped model; or a list of these.

    Raises:
        MultistageError: Not a finished run, files that do not match, or a name that is also a folder.
        ConfigError: Runs that cannot be averaged.
    """
    if isinstance(run, Path | str):
        return _load(run)[0]
    models: dict[str, Model] = {}
    weights: dict[str, str] = {}
    for each in run:
        model, digest = _load(each)
        if digest in weights:
            raise ConfigError(f"{each} and {weights[digest]} are the same run (equal weights); expected each run once")
        models[str(each)], weights[digest] = model, str(each)
    return Ensemble(models)


def _load(run: Path | str) -> tuple[Model, str]:
    """Load the network of one run, with the digest of its final weights."""
    folder = shipped.locate(run)
    record = read(folder)
    if record is None:
        raise shipped.unknown(run, folder)
    model = restore(folder / WEIGHTS, record, Model)
    assert isinstance(model, Model)
    model.settings = parse(record["config"])
    return model, record.get("weights_sha256") or record[SHIPPED]["weights_sha256"]
