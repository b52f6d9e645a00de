"""Figures computed from the runs of the grid; each is computed once."""

from collections.abc import Sequence
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

import numpy as np

from audit.grid.choice import ranked, to_measure
from audit.grid.places import DISTINCT, MEASURING, Grid, Place, Protocol
from audit.grid.ranking import Ranked, ranking
from audit.grid.variance import Noise, Share, noise, shares


class Changed(NamedTuple):
    """A place under two protocols.

    Attributes:
        place: The place.
        before: Accuracy in %, mean over draws.
        after: The same under the other protocol, on the same draws.
    """

    place: Place
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
        """Rank the places on all measurement draws; empty until all that are to be measured were run on them."""
        measured = self.grid.measured()
        if self.noise is None or not self.order or not to_measure(self.order) <= measured.keys():
            return []
        return ranking(measured, self.noise)

    def changes(self, before: Protocol, after: Protocol) -> tuple[Sequence[int], list[Changed]]:
        """Compare places under two protocols, all on the same draws.

        Returns:
            The draws, and the places that were run on them under both protocols, by accuracy under the second, best
            first. They are the draws that leave out the fewest places; never the selection draw.
        """
        runs = {place: (self.grid.runs(place, before), self.grid.runs(place, after)) for place in DISTINCT}
        places = {
            draw: {place for place, both in runs.items() if all(draw in each.records for each in both)}
            for draw in MEASURING
        }
        most = max(places.values(), key=len)
        draws = [draw for draw in MEASURING if most and places[draw] >= most]
        found = [Changed(place, *(fmean(map(each.accuracy, draws)) for each in runs[place])) for place in most]
        return draws, sorted(found, key=lambda each: (-each.after, each.place))
