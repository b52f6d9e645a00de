"""Test the average of several finished runs of one draw on images that none of them used for training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from audit.models.testing import Images, answers, images
from audit.tables.words import count
from multistage.records import provenance, shipped
from multistage.records.files import command, path
from multistage.records.runs import Record, read
from multistage.registry.errors import ConfigError
from multistage.storage import durable
from multistage.train import hardware
from multistage.train.evaluation import Predictions, averaged
from multistage.train.loading import load

Tell = Callable[[str], None]


def ensemble(runs: Sequence[str], tell: Tell = print) -> Record:
    """Return the accuracy of the average of runs, and of each alone.

    Args:
        runs: Folders of finished runs, or names of shipped models.
        tell: Called with lines of progress.

    Returns:
        ``metrics``, ``correct`` and ``remaining`` of the average, as in a shipped record; ``average_of`` (probabilities
        or margins), ``runs`` with the same for each, ``per_class``, and the machine.

    Raises:
        ConfigError: Fewer than two runs, different draws or images, or runs that cannot be averaged.
        DataError: Their images are missing.
        MultistageError: Not a finished run.
    """
    if len(runs) < 2:
        raise ConfigError(f"{count(len(runs), 'run')} to average; expected at least two")
    records = [_read(run) for run in runs]
    for run, record in zip(runs[1:], records[1:], strict=True):
        _check(runs[0], records[0], run, record)
    model = load([*runs])
    first: Images | None = None
    each: list[Predictions] = []
    done: list[Record] = []
    for run, record, member in zip(runs, records, model.models, strict=True):
        others = images(record)
        if first is None:
            first = others
        elif others.all_names != first.all_names or others.names != first.names:
            raise ConfigError(f"{runs[0]} and {run} have other test images; expected runs of the same")
        tell(f"testing {run} on {count(len(others.numbers), 'image')}")
        each.append(answers(member, others))
        done.append(_about(record, others.figures(each[-1])))
    assert first is not None
    said = averaged(each)
    figures = first.figures(said)
    correct = figures.pop("correct")
    return durable.stamp(
        {
            **{field: records[0]["config"][field] for field in ("data", "draw")},
            "data_hash": records[0]["data_hash"],
            "average_of": "probabilities" if said.logistic else "margins",
            **figures,
            "per_class": [
                {"name": entry["name"], "correct": right, "total": entry["total"]}
                for entry, right in zip(records[0]["per_class"], correct, strict=True)
            ],
            "runs": done,
            **hardware.describe(),
            **provenance.started(),
        }
    )


def _read(run: str) -> Record:
    folder = shipped.locate(run)
    record = read(folder)
    if record is None:
        raise shipped.unknown(Path(run), folder)
    return record


def _check(first: str, before: Record, second: str, now: Record) -> None:
    """Refuse runs with different images.

    Raises:
        ConfigError: Different data sets, draws or images.
    """
    for field in ("data", "draw"):
        if before["config"][field] != now["config"][field]:
            values = f"{field}={before['config'][field]} and {field}={now['config'][field]}"
            raise ConfigError(f"{first} and {second} have {values}; expected runs of the same {field}")
    if before["data_hash"] != now["data_hash"]:
        raise ConfigError(f"{first} and {second} had other images (data_hash); expected runs of the same images")
    totals = [[(entry["name"], entry["total"]) for entry in record["per_class"]] for record in (before, now)]
    if totals[0] != totals[1]:
        raise ConfigError(f"{first} and {second} have other test images; expected runs of the same")


def _about(record: Record, figures: dict[str, Any]) -> Record:
    return {
        "run": path(record),
        "command": command(record),
        "weights_sha256": record["weights_sha256"],
        "split_hash": record["split_hash"],
        "recorded": {name: record["metrics"][name] for name in ("test_accuracy", "test_mean_class_accuracy")},
        **{name: value for name, value in figures.items() if name != "correct"},
    }
