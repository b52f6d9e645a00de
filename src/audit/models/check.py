"""Check that shipped models match their cards: load, describe and test each again."""

from pathlib import Path

from audit.models import card
from audit.models.testing import answers, differing, images
from multistage.records import shipped
from multistage.records.runs import Record, read
from multistage.records.schema import SHIPPED
from multistage.registry.errors import MultistageError
from multistage.storage import durable
from multistage.train.loading import load

TESTED = ("metrics", "correct", "remaining")
"""Fields of a shipped record that a test reproduces."""


def record_of(folder: Path) -> Record:
    """Read the record of a shipped model.

    Raises:
        MultistageError: There is none, or it is not that of a shipped model.
    """
    record = read(folder)
    if record is None or SHIPPED not in record:
        raise MultistageError(f"{folder} is not a shipped model; expected what `python scripts/ship.py RUN NAME` makes")
    return record


def write_cards(models: Path) -> list[Path]:
    """Rewrite all cards; returns those that changed."""
    written = []
    for name in shipped.names(models):
        file = models / name / card.FILE
        if durable.update(file, card.card(record_of(file.parent)).encode()):
            written.append(file)
    return written


def check(name: str, models: Path) -> list[str]:
    """Describe every difference between a model and its record, to the last digit.

    Raises:
        DataError: Its images are missing.
        MultistageError: It cannot be loaded.
    """
    folder = models / name
    record = record_of(folder)
    about = record[SHIPPED]
    found = [] if about["name"] == name else [f"name was {about['name']}, is {name}"]
    if not (folder / card.FILE).exists() or (folder / card.FILE).read_text(encoding="utf-8") != card.card(record):
        found.append(f"{card.FILE} is not what its record makes; type python scripts/ship.py")
    others = images(record)
    figures = others.figures(answers(load(folder.absolute()), others))
    return found + differing({key: about.get(key) for key in TESTED}, {key: figures.get(key) for key in TESTED})
