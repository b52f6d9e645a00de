"""Turn a finished run into a shipped model, see `multistage.records.shipped`.

Kernels and matrices are stored in half precision if that changes no prediction on the run's test images, else
unchanged.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor

from audit.models import card
from audit.models.testing import Images, answers, differing, images
from audit.tables.words import count
from multistage.records import schema, shipped
from multistage.records.runs import RESULT, RESULTS_VERSION, WEIGHTS, Record, read
from multistage.registry.errors import ConfigError, MultistageError
from multistage.registry.words import listing, shown
from multistage.settings.tree import parse
from multistage.storage import durable
from multistage.train.evaluation import Predictions
from multistage.train.loading import load
from multistage.train.model import Model
from multistage.train.restore import HALF, halved

LIMIT = 5_000_000
"""Maximum size of shipped weights, bytes."""

PLACES = {"output": "runs", "data.root": "data"}
"""Settings for the locations of a run and its images; a shipped record has their defaults."""

Tell = Callable[[str], None]


class Stored(NamedTuple):
    """Stored weights, and the network's answers with them for all images outside training."""

    precision: str
    content: bytes
    said: Predictions


def ship(run: Path, name: str, models: Path, tell: Tell = print) -> Path:
    """Make a model from a finished run.

    Args:
        run: Its folder.
        name: ``DATA/WORD``; an existing model of that name is replaced.
        models: Folder of all models.
        tell: Called with lines about the measurements.

    Returns:
        The folder of the model.

    Raises:
        ConfigError: An invalid name, or one of another data set.
        DataError: The run's images are missing.
        MultistageError: Not a finished run of this version, or one that is too large.
    """
    record = read(run)
    if record is None:
        raise MultistageError(f"{run} is not a finished run; expected {shipped.EXPECTED}")
    _check(run, record, name)
    model = load(run.absolute())
    others = images(record)
    stored = _stored(run, record, model, others, tell)
    figures = others.figures(stored.said)
    measured = {key: value for key, value in figures["metrics"].items() if key in record["metrics"]}
    for difference in differing({key: record["metrics"][key] for key in measured}, measured):
        tell(f"tested here, its record's {difference}; the card has what was found here")
    complete = _record(record, name, stored, figures)
    folder = models / name
    folder.mkdir(parents=True, exist_ok=True)
    durable.write(folder / WEIGHTS, stored.content)
    durable.write(folder / card.FILE, card.card(complete).encode())
    durable.write(folder / RESULT, (json.dumps(complete, indent=1, allow_nan=False) + "\n").encode())
    _same(_as_stored(model, stored.precision), load(folder.absolute()), folder)
    return folder


def _check(run: Path, record: Record, name: str) -> None:
    data = record["config"]["data"]
    if not shipped.NAME.fullmatch(name) or name.partition("/")[0] != data:
        raise ConfigError(
            f"NAME={shown(name)} is not allowed; expected {data}/WORD, in small letters, such as {data}/best"
        )
    if data not in card.SOURCES:
        raise ConfigError(f"{run} has data={data}, whose licence is not known; expected one of {listing(card.SOURCES)}")
    if schema.SHIPPED in record:
        raise MultistageError(f"{run} is a shipped model already; expected the run that it was made of")
    if missing := [field for field in card.NEEDED if field not in record]:
        raise MultistageError(f"{run} has no {listing(missing)} in its record, of an older version; run it again")


def _stored(run: Path, record: Record, model: Model, others: Images, tell: Tell) -> Stored:
    """Return the smallest form of the weights that changes no prediction on the run's test images."""
    metadata = {schema.SETTINGS: schema.settings_digest(record["config"])}
    exact = save(model.state_dict(), metadata)
    small = save({name: halved(value) for name, value in model.state_dict().items()}, metadata)
    if len(small) > LIMIT:
        raise MultistageError(f"{run} takes {_megabytes(small)} in half precision; expected at most {LIMIT / 1e6:g} MB")
    tell(f"testing {run} on {count(len(others.numbers), 'image')}, twice")
    said, said_small = answers(model, others), answers(_as_stored(model, HALF), others)
    changed = said.scores.argmax(1) != said_small.scores.argmax(1)
    own = int(changed[others.own].sum())
    words = (
        f"half precision changes {own} of {count(int(others.own.sum()), 'prediction')} on test images, "
        f"{int(changed.sum())} of {len(changed):,} on all that remain"
    )
    if not own:
        tell(f"{words}: stored in half precision, {_megabytes(small)} rather than {_megabytes(exact)}")
        return Stored(HALF, small, said_small)
    if len(exact) > LIMIT:
        raise MultistageError(f"{run} takes {_megabytes(exact)}, and {words}; expected at most {LIMIT / 1e6:g} MB")
    tell(f"{words}: stored as trained, {_megabytes(exact)}")
    return Stored("float32", exact, said)


def _as_stored(model: Model, precision: str) -> Model:
    """Return the network with weights rounded as in storage."""
    if precision != HALF:
        return model
    rounded = deepcopy(model)
    rounded.load_state_dict({name: halved(value).to(value.dtype) for name, value in model.state_dict().items()})
    return rounded


def _record(record: Record, name: str, stored: Stored, figures: Record) -> Record:
    """Return the run's record with the fields of a shipped model.

    Raises:
        RecordError: The result is not a valid record, a bug of this module.
    """
    config = {key: value for key, value in record["config"].items() if not key.startswith("logger.")} | {
        "logger": "csv"
    }
    if not parse(config).data.root_is_content:
        config |= {key: value for key, value in PLACES.items() if key in config}
    about = {
        "name": name,
        "precision": stored.precision,
        "weights_sha256": durable.digest(stored.content),
        "bytes": len(stored.content),
        **figures,
    }
    complete = durable.stamp({**record, "config": config, schema.SHIPPED: about})
    schema.check(complete, RESULTS_VERSION)
    return complete


def _same(expected: Model, found: Model, folder: Path) -> None:
    tensors: dict[str, Tensor] = found.state_dict()
    for name, value in expected.state_dict().items():
        if not torch.equal(tensors[name], value):
            raise MultistageError(f"{folder} holds other weights than were written ({name}); ship it again")


def _megabytes(content: bytes) -> str:
    return f"{len(content) / 1e6:.2f} MB"
