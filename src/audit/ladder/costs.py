"""Cost of a run that starts with an empty cache: cached filters and features are charged to it.

Runs share decoded images, filters and features on disk. The first run computes them; later runs record almost no time
for that phase. So each shared phase is charged the longest time of all runs in the folder that share it. A network of
several filter sets may have found some sets in the cache, computed by a run with fewer; the longest times of those runs
are added. The result is the time of a run with an empty cache, or more; it is never less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from multistage.data import Stored
from multistage.records.runs import Record
from multistage.settings.tree import Settings, parse

SHARED = ("data", "filters", "features")
"""Phases whose results are cached on disk."""


@dataclass(frozen=True)
class _Made:
    """What a run computed or found in the cache, and its number of filter sets."""

    shares: dict[str, Any]
    banks: int
    record: Record


class Costs:
    """Costs of the runs of one folder of results, which shared one cache.

    Args:
        records: All records of the folder.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.made = [_made(record) for record in records]

    def seconds(self, record: Record) -> float:
        """Return the seconds of one of these runs, all phases, with an empty cache."""
        own = _made(record)
        return sum(
            self._longest(own, phase) if phase in SHARED else spent for phase, spent in record["seconds"].items()
        )

    def _longest(self, own: _Made, phase: str) -> float:
        longest: dict[int, float] = {}
        for other in self.made:
            if other.banks <= own.banks and other.shares[phase] == own.shares[phase]:
                spent = other.record["seconds"].get(phase, 0)
                longest[other.banks] = max(spent, longest.get(other.banks, 0))
        return max(longest.values()) if phase == "data" else sum(longest.values())


def _made(record: Record) -> _Made:
    settings = parse(record["config"])
    images = replace(settings.data, root="") if isinstance(settings.data, Stored) else settings.data
    filters = _filters(settings, images)
    shares = {"data": images, "filters": filters, "features": (*filters, settings.reading, settings.draw)}
    return _Made(shares, settings.sets.banks, record)


def _filters(settings: Settings, images: object) -> tuple[object, ...]:
    """Return all that filters depend on; test images are not part of it."""
    training = replace(settings.draw, test_per_class=None)
    return images, training, settings.seed, settings.filters, settings.geometry, settings.operations
