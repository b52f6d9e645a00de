"""The published figures of ``results/paper.yaml``, and which of them corresponds to a run."""

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
"""Readouts that correspond to the paper's logistic regression."""

SECTIONS = ("table1", "mnist", "norb")


PAPER = CONF.parent / "results" / "paper.yaml"


def published(path: Path = PAPER) -> list[Record]:
    """Return every published figure, in the paper's order, those of Table 1 first; none if the file is missing."""
    if not path.exists():
        return []
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [entry for section in SECTIONS for entry in content[section]]


def matching(entries: Sequence[Record], config: Config) -> Record | None:
    """Return the entry whose settings all match a run, None if there is none; the paper's images are gray.

    Args:
        entries: From `published`; keys that are settings must match, unless the run is older than the setting.
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
    """Return the row of the paper's Table 1 that a run belongs to; None if there is none."""
    if config["data"] != "caltech101":
        return None
    name = letters(config)
    return name if any(entry["table"] == 1 and entry["row"] == name for entry in published()) else None


def letters(config: Config) -> str:
    """Return the paper's name of the training protocol: R, R+, UU, U+U+, GT, ..."""
    letter = filter_methods[config["filters"]].letter
    if letter == "G" and not config["refine"]:
        return "G" + "T" * (config["stages"] - 1)  # Gabor filters, then templates
    return (letter + "+" * config["refine"]) * config["stages"]
