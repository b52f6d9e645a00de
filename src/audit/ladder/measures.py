"""Accuracy of a run under the measures that papers use, from the counts of its record.

All measures use the same classifier of 102 classes. Those of 101 classes leave out test images of the background, and
still count an object classified as background as an error.
"""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from multistage.records.intervals import Measured, mean_of
from multistage.records.runs import Record

BACKGROUND = "BACKGROUND_Google"
"""The background class of Caltech-101."""

Measure = Callable[[Record], float]


def _counts(record: Record, without: str) -> list[tuple[int, int]]:
    """Return (correct, tested) of each class that has test images."""
    return [(c["correct"], c["total"]) for c in record["per_class"] if c["total"] and c["name"] != without]


def per_class(record: Record, without: str = "") -> float:
    """Compute accuracy per class, averaged over classes, in %."""
    return 100 * fmean(right / tested for right, tested in _counts(record, without))


def overall(record: Record, without: str = "") -> float:
    """Compute accuracy over all test images, in %."""
    counts = _counts(record, without)
    return 100 * sum(right for right, _ in counts) / sum(tested for _, tested in counts)


MEASURES: dict[str, Measure] = {
    "102 classes, mean per class": per_class,
    "102 classes, overall": overall,
    "101 classes, mean per class": partial(per_class, without=BACKGROUND),
    "101 classes, overall": partial(overall, without=BACKGROUND),
}


def over(records: Sequence[Record], name: str) -> Measured:
    """Compute one of `MEASURES`, mean over runs with Student's interval."""
    return mean_of([MEASURES[name](record) for record in records], name, "%")
