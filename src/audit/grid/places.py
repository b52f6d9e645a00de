"""Places of the grid (a rectification, a normalisation and a pooling each) and their runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from audit.tables.addresses import ABS, BOTH, N_MAX, NEITHER, N
from audit.tables.results import Results
from audit.tables.words import listed
from multistage.records.cells import accuracy, key, refuse_difference
from multistage.records.files import path
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.settings.tree import Config

FOLDER = "grid"
OWN = (FOLDER, "grid_stages", "grid_psd", "grid_refined")
"""Folders of the grid's parts: two stages of random frozen filters, and the others."""

FOLDERS = (*OWN, "table1")
"""Folders that hold runs of the grid, searched in this order; the last one has the paper's five."""

CHOOSING, MEASURING = 0, range(1, 5)
"""The draw that selects places for further runs, and the draws that measure the selected ones."""

ACROSS = "contrast_norm.across_maps"
WITHIN = "lcn_within"
"""Local contrast normalisation within each map; not in `normalisations`, but a setting of ``lcn``."""

RECTIFICATIONS = ("none", "abs", "relu", "gelu", "leaky_relu", "square")
NORMALISATIONS = (
    *("none", "lcn", WITHIN, "batchnorm", "lcn_batchnorm", "divisive", "groupnorm", "instancenorm"),
    *("layernorm", "lrn", "rmsnorm"),
)
POOLINGS = ("average", "max", "max_overlap", "average_tiled", "l2")
LEVELS = (RECTIFICATIONS, NORMALISATIONS, POOLINGS)
"""The choices of the grid, as its yaml has them: an operation that is added to the project later is not part of it."""


class Place(NamedTuple):
    """The operations of a stage after its filter bank."""

    rectify: str
    normalise: str
    pool: str

    @classmethod
    def of(cls, config: Config) -> "Place":
        """Return the place of a run."""
        within = config["model.normalise"] == "lcn" and not config[ACROSS]
        return cls(config["model.rectify"], WITHIN if within else config["model.normalise"], config["model.pool"])

    @classmethod
    def changed(cls, further: Mapping[str, object]) -> tuple["Place", dict[str, object]]:
        """Change operations of the paper's best place.

        Args:
            further: Settings by the last parts of their keys.

        Returns:
            The place, and the settings that are not operations.
        """
        usual = {**BEST_OF_PAPER.typed, ACROSS: True}
        config = {key: further.get(key.rpartition(".")[2], value) for key, value in usual.items()}
        names = {key.rpartition(".")[2] for key in usual}
        return cls.of(config), {name: value for name, value in further.items() if name not in names}

    @property
    def name(self) -> str:
        """Return the name: operations in order of application, as in presets."""
        return " ".join(self)

    @property
    def address(self) -> str:
        """Return the anchor on the grid's page."""
        return "-".join(self)

    @property
    def typed(self) -> dict[str, object]:
        """Return the settings as typed on the command line."""
        within = self.normalise == WITHIN
        return {
            **({ACROSS: False} if within else {}),
            "model.rectify": self.rectify,
            "model.normalise": "lcn" if within else self.normalise,
            "model.pool": self.pool,
        }


class Protocol(NamedTuple):
    """Number of stages, kind of filters and training."""

    stages: int = 2
    filters: str = "random"
    refine: bool = False


RANDOM = Protocol()
"""The protocol of the first part."""

EQUAL = {Place("abs", each, "l2"): Place("none", each, "l2") for each in ("none", "lrn", "rmsnorm")}
"""Places that equal another one: these normalisations treat x and -x alike, and L2 pooling removes the sign."""

EVERY = [Place(*names) for names in product(*LEVELS)]
DISTINCT = [place for place in EVERY if place not in EQUAL]

BEST_OF_PAPER = Place("abs", "lcn", "average")
_COLUMNS = (
    (BEST_OF_PAPER, "R_abs-N-P_A", BOTH),
    (Place("abs", "none", "average"), "R_abs-P_A", ABS),
    (Place("none", "lcn", "max"), "N-P_M", N_MAX),
    (Place("none", "lcn", "average"), "N-P_A", N),
    (Place("none", "none", "average"), "P_A", NEITHER),
)
PAPER = {place: symbol for place, symbol, _ in _COLUMNS}
"""The columns of the paper's Table 1."""

PRESETS = {place: preset for place, _, preset in _COLUMNS}
"""Their presets."""


@dataclass(frozen=True)
class Runs:
    """The runs of a place under one protocol.

    Attributes:
        records: Records by draw.
    """

    records: Mapping[int, Record]

    def accuracy(self, draw: int) -> float:
        """Return accuracy in %, mean over classes."""
        return accuracy(self.records[draw])


class Grid:
    """The runs of every place.

    Args:
        results: All published results.

    Raises:
        MultistageError: A run in a folder of the grid that does not belong to the grid, or different runs of one place,
            protocol and draw.
    """

    def __init__(self, results: Results) -> None:
        self.own = results.records(FOLDER)
        for folder in OWN:
            for record in results.records(folder):
                if not _is_of_grid(record["config"]):
                    raise MultistageError(
                        f"results/{folder} has {path(record)}; expected Caltech-101, seed=draw, no images held out, "
                        "filters random or psd, frozen ones read by lbfgs"
                    )
        found: dict[tuple[Place, Protocol], dict[int, Record]] = {}
        for record in (record for folder in FOLDERS for record in results.records(folder)):
            if _is_of_grid(record["config"]):
                first = found.setdefault(_key(record["config"]), {}).setdefault(record["config"]["draw"], record)
                if first is not record:
                    _refuse_another(first, record)
        self._runs = {key: Runs(dict(sorted(records.items()))) for key, records in found.items()}

    def runs(self, place: Place, protocol: Protocol = RANDOM) -> Runs:
        """Return the runs of a place, or of the place that it equals."""
        return self._runs.get((EQUAL.get(place, place), protocol), Runs({}))

    def protocols(self, place: Place) -> list[Protocol]:
        """List the protocols under which a place was run, that of the first part first."""
        found = [protocol for other, protocol in self._runs if other == EQUAL.get(place, place)]
        return sorted(found, key=lambda protocol: (protocol != RANDOM, protocol))

    def chosen_by(self, place: Place) -> float | None:
        """Return accuracy in % on the selection draw; None if the place was not run."""
        runs = self.runs(place)
        return runs.accuracy(CHOOSING) if CHOOSING in runs.records else None

    @property
    def missing(self) -> list[Place]:
        """List places of the first part that were not run."""
        own = {_key(record["config"]) for record in self.own if record["config"]["draw"] == CHOOSING}
        return [place for place in DISTINCT if (place, RANDOM) not in own]

    @property
    def values(self) -> np.ndarray:
        """Return accuracy in % on the selection draw, [rectifications, normalisations, poolings]; NaN where not run."""
        found = [self.chosen_by(place) for place in EVERY]
        flat = [np.nan if value is None else value for value in found]
        return np.array(flat).reshape([len(names) for names in LEVELS])

    def measured(self) -> dict[Place, list[float]]:
        """Return accuracies per measurement draw of the places that were run on all of these draws."""
        runs = {place: self.runs(place) for place in DISTINCT}
        return {
            place: [each.accuracy(draw) for draw in MEASURING]
            for place, each in runs.items()
            if set(MEASURING) <= each.records.keys()
        }


def _key(config: Config) -> tuple[Place, Protocol]:
    return Place.of(config), Protocol(config["stages"], config["filters"], config["refine"])


def _refuse_another(one: Record, other: Record) -> None:
    """Refuse two runs of one place and draw that are not one run; the preset's name is no difference."""
    if names := sorted({name for name, _ in {*key(one)} ^ {*key(other)}} - {"model"}):
        raise MultistageError(
            f"{path(one)} and {path(other)} are one cell of the grid, but differ in {listed(names)}; expected one"
        )
    refuse_difference(one, other)


def _is_of_grid(config: Config) -> bool:
    return (
        config["data"] == "caltech101"
        and config["seed"] == config["draw"]
        and config["data.validation"] == 0
        and config["filters"] in ("random", "psd")
        and (config["refine"] or config["readout"] == "lbfgs")
    )
