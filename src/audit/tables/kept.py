"""The fraction of a run's accuracy that is left on corrupted images (`multistage.data.corruptions`)."""

from statistics import fmean

from multistage.records.cells import accuracy
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

FIELD = "corruptions"
"""Field of a record: accuracies at strengths 1 to 5, by the name of a corruption."""

LIGHT = ("contrast", "lighting")
"""Corruptions that contrast normalisation is said to compensate."""


def accuracies(record: Record, corruption: str) -> list[float]:
    """Return the mean accuracy over classes without the corruption, then at each strength, in %.

    Raises:
        MultistageError: The run was not tested under this corruption.
    """
    if corruption not in record.get(FIELD, {}):
        raise MultistageError(
            f"{record['run']} was not tested under {corruption}; expected a run with test.corrupted=true"
        )
    return [accuracy(record), *(100 * value for value in record[FIELD][corruption])]


def kept(record: Record, corruption: str) -> float:
    """Return the accuracy under a corruption relative to that without it, mean over strengths, in %.

    Raises:
        MultistageError: The run was not tested under it, or has an accuracy of 0 without it.
    """
    clean, *strengths = accuracies(record, corruption)
    if not clean:
        raise MultistageError(f"{record['run']} is never right; nothing can be kept of that")
    return 100 * fmean(strengths) / clean
