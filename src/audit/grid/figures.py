"""What is computed from the runs of the grid, each once."""

from collections.abc import Sequence
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

import numpy as np

from audit.grid.choice import ranked
from audit.grid.places import CHOOSING, DISTINCT, Grid, Place, Protocol
from audit.grid.ranking import Ranked, ranking
from audit.grid.variance import Noise, Share, noise, shares


class Changed(NamedTuple):
    """A place by two protocols.

    Attributes:
        place: Which.
        draws: That both have, without the one that chose the place.
        before: Accuracy in %, mean over these draws.
        after: The same by the other protocol.
    """

    place: Place
    draws: Sequence[int]
    before: float
    after: float

    @property
    def difference(self) -> float:
        """In points."""
        return self.after - self.before


class Figures:
    """Of a grid.

    Args:
        grid: Its runs.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    @cached_property
    def order(self) -> list[Place]:
        """Places by the draw that chooses; none as long as some were not run."""
        return ranked(self.grid)

    @cached_property
    def noise(self) -> Noise | None:
        """Of a run, from the places on all draws that measure."""
        return noise(self.grid.measured())

    @cached_property
    def shares(self) -> list[Share]:
        """Of the variance; none as long as some places were not run."""
        values = self.grid.values
        return [] if np.isnan(values).any() else shares(values, self.noise)

    @cached_property
    def ranking(self) -> list[Ranked]:
        """Of the places on all draws that measure; none for fewer than two."""
        return ranking(self.grid.measured(), self.noise) if self.noise else []

    def changes(self, before: Protocol, after: Protocol) -> list[Changed]:
        """Places that were run by both protocols, most accurate after it first."""
        found = []
        for place in DISTINCT:
            one, other = self.grid.runs(place, before), self.grid.runs(place, after)
            if draws := sorted((one.records.keys() & other.records.keys()) - {CHOOSING}):
                found.append(Changed(place, draws, *(fmean(map(runs.accuracy, draws)) for runs in (one, other))))
        return sorted(found, key=lambda each: (-each.after, each.place))
