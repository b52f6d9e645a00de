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
from multistage.records.intervals import Measured, mean_of


class Changed(NamedTuple):
    """A place under two protocols.

    Attributes:
        place: The place.
        before: Accuracies in %, by draw.
        after: The same under the other protocol, on the same draws.
    """

    place: Place
    before: Sequence[float]
    after: Sequence[float]

    @property
    def differences(self) -> list[float]:
        """Return after minus before by draw, in percentage points."""
        return [after - before for before, after in zip(self.before, self.after, strict=True)]


def change(found: Sequence[Changed], what: str) -> Measured:
    """Return the mean difference over places, which are fixed; its interval is over draws, none for a single one."""
    by_draw = zip(*(each.differences for each in found), strict=True)
    return mean_of([*map(fmean, by_draw)], what, "points")


def span(found: Sequence[Changed]) -> tuple[float, float]:
    """Return the smallest and the largest mean difference of a place."""
    means = [fmean(each.differences) for each in found]
    return min(means), max(means)


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
        found = [Changed(place, *([*map(each.accuracy, draws)] for each in runs[place])) for place in most]
        return draws, sorted(found, key=lambda each: (-fmean(each.after), each.place))
