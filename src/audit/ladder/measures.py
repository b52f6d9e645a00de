"""Accuracy of a run in the ways in which papers count it, from the counts of its record.

All of them are of one classifier of 102 classes; that of 101 leaves out the images of the background, and still counts
an object that is taken for background as an error.
"""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from multistage.records.intervals import Measured, mean_of
from multistage.records.runs import Record

BACKGROUND = "BACKGROUND_Google"
"""The class of Caltech-101 that is no object."""

Measure = Callable[[Record], float]


def _counts(record: Record, without: str) -> list[tuple[int, int]]:
    """(right, tested) of each class that has test images."""
    return [(c["correct"], c["total"]) for c in record["per_class"] if c["total"] and c["name"] != without]


def per_class(record: Record, without: str = "") -> float:
    """Mean over classes of the share of their test images that is right, in %."""
    return 100 * fmean(right / tested for right, tested in _counts(record, without))


def overall(record: Record, without: str = "") -> float:
    """Share of all test images that is right, in %."""
    counts = _counts(record, without)
    return 100 * sum(right for right, _ in counts) / sum(tested for _, tested in counts)


MEASURES: dict[str, Measure] = {
    "102 classes, mean per class": per_class,
    "102 classes, overall": overall,
    "101 classes, mean per class": partial(per_class, without=BACKGROUND),
    "101 classes, overall": partial(overall, without=BACKGROUND),
}


def over(records: Sequence[Record], name: str) -> Measured:
    """One of `MEASURES`, mean over runs with Student's interval."""
    return mean_of([MEASURES[name](record) for record in records], name, "%")
