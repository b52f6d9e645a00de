"""What is left of a run's accuracy on corrupted images (`multistage.data.corruptions`)."""

from statistics import fmean

from multistage.records.cells import METRIC
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

FIELD = "corruptions"
"""Of a record: accuracies at strengths 1 to 5 by the name of a corruption."""


def accuracies(record: Record, corruption: str) -> list[float]:
    """Mean accuracy over classes without the corruption, then at each of its strengths, in %.

    Raises:
        MultistageError: The run was not tested so.
    """
    if corruption not in record.get(FIELD, {}):
        raise MultistageError(
            f"{record['run']} was not tested under {corruption}; expected a run with test.corrupted=true"
        )
    return [100 * value for value in (record["metrics"][METRIC], *record[FIELD][corruption])]


def kept(record: Record, corruption: str) -> float:
    """The share of a run's accuracy without the corruption that is left under it, mean over strengths, in %.

    Raises:
        MultistageError: The run was not tested so, or has no accuracy without.
    """
    clean, *strengths = accuracies(record, corruption)
    if not clean:
        raise MultistageError(f"{record['run']} is never right; nothing can be kept of that")
    return 100 * fmean(strengths) / clean
