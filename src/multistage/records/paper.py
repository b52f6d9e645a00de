"""The published figures of ``results/paper.yaml``, and which of them a run can be held against."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from multistage.filters import filter_methods
from multistage.readout import readouts
from multistage.records.runs import Record
from multistage.settings.composition import CONF
from multistage.settings.config import rule_of
from multistage.settings.tree import Config

LINEAR = tuple(name for name, readout in readouts.items() if readout.logistic)
"""Classifiers that may stand for the paper's logistic regression."""

SECTIONS = ("table1", "mnist", "norb")


PAPER = CONF.parent / "results" / "paper.yaml"


def published(path: Path = PAPER) -> list[Record]:
    """Every published figure, in the paper's order; those of Table 1 first. None where the file is not at hand."""
    if not path.exists():
        return []
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [entry for section in SECTIONS for entry in content[section]]


def matching(entries: Sequence[Record], config: Config) -> Record | None:
    """The entry whose settings all hold in a run, None if there is none; the paper's images are gray.

    Args:
        entries: As from `published`; a key that is a setting must hold, unless the run is older than the setting.
        config: The run's configuration.
    """
    for entry in entries if config.get("data.maps", 1) == 1 else ():
        readouts = (entry["readout"],) if "readout" in entry else LINEAR
        if config["readout"] in readouts and all(
            key == "readout" or config.get(key, value) == value or not rule_of(key) for key, value in entry.items()
        ):
            return entry
    return None


def row(config: Config) -> str | None:
    """The row of the paper's Table 1 that a run belongs to; None if it has none."""
    in_table = config["data"] == "caltech101" and not (config["filters"] == "gabor" and config["refine"])
    return letters(config) if in_table else None


def letters(config: Config) -> str:
    """The paper's name for what learns: R, R+, UU, U+U+, GT, ..."""
    letter = filter_methods[config["filters"]].letter
    if letter == "G" and not config["refine"]:
        return "G" + "T" * (config["stages"] - 1)  # Gabor filters, then templates
    return (letter + "+" * config["refine"]) * config["stages"]
