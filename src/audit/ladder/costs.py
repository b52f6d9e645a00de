"""What a run takes for whoever starts with nothing: filters and features that it found ready are charged to it.

Runs share what they make: filters of a draw, features of filters, images read. Who comes first makes it, and the record
of who comes later has hardly any seconds there. So a phase counts as long as the longest of all runs of the folder that
share it. A network of several filter sets may have found some of them ready, made by a run with fewer; the longest of
those with fewer are added. This is at most what a run needs by itself, or more: never less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from multistage.data import Stored
from multistage.records.runs import Record
from multistage.settings.tree import Settings, parse

SHARED = ("data", "filters", "features")
"""Phases whose results are kept on disk."""


@dataclass(frozen=True)
class _Made:
    """What a run made or found, and how many filter sets it has."""

    shares: dict[str, Any]
    banks: int
    record: Record


class Costs:
    """Of the runs of one folder of results, which shared one cache.

    Args:
        records: All of them.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.made = [_made(record) for record in records]

    def seconds(self, record: Record) -> float:
        """Of one of these runs, all phases, nothing found ready."""
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
    """What filters are a function of; not of test images."""
    training = replace(settings.draw, test_per_class=None)
    return images, training, settings.seed, settings.filters, settings.geometry, settings.operations
