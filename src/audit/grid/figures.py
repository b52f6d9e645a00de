"""Figures computed from the runs of the grid; each is computed once."""

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
    """A place under two protocols.

    Attributes:
        place: The place.
        draws: Draws that both protocols have, without the selection draw.
        before: Accuracy in %, mean over these draws.
        after: The same under the other protocol.
    """

    place: Place
    draws: Sequence[int]
    before: float
    after: float

    @property
    def difference(self) -> float:
        """Return after minus before, in percentage points."""
        return self.after - self.before


class Figures:
    """Figures of a grid.

    Args:
        grid: Its runs.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    @cached_property
    def order(self) -> list[Place]:
        """Rank places on the selection draw; empty until all were run."""
        return ranked(self.grid)

    @cached_property
    def noise(self) -> Noise | None:
        """Estimate the noise of a run from the places on all measurement draws."""
        return noise(self.grid.measured())

    @cached_property
    def shares(self) -> list[Share]:
        """Compute shares of the variance; empty until all places were run."""
        values = self.grid.values
        return [] if np.isnan(values).any() else shares(values, self.noise)

    @cached_property
    def ranking(self) -> list[Ranked]:
        """Rank the places on all measurement draws; empty for fewer than two."""
        return ranking(self.grid.measured(), self.noise) if self.noise else []

    def changes(self, before: Protocol, after: Protocol) -> list[Changed]:
        """List places that were run under both protocols, by accuracy under the second, best first."""
        found = []
        for place in DISTINCT:
            one, other = self.grid.runs(place, before), self.grid.runs(place, after)
            if draws := sorted((one.records.keys() & other.records.keys()) - {CHOOSING}):
                found.append(Changed(place, draws, *(fmean(map(runs.accuracy, draws)) for runs in (one, other))))
        return sorted(found, key=lambda each: (-each.after, each.place))
