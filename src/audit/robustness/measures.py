"""Accuracy of networks under corruptions, and how contrast normalisation changes the fraction that is kept."""

from collections.abc import Sequence

from audit.tables.differences import Change, differences
from audit.tables.kept import accuracies, kept
from audit.tables.layout import symbol
from multistage.records.cells import Cell, pairs
from multistage.records.intervals import Measured, mean_of
from multistage.records.paper import letters
from multistage.records.runs import Record

WITHOUT, WITH = "none", "lcn"
"""Values of ``model.normalise``."""


def name(cell: Cell, published: Sequence[Record]) -> str:
    """Name a network in the paper's terms, and its preprocessing if that differs from the paper's."""
    config = cell.config
    words = [symbol(config["model"], published), letters(config)]
    if config.get("data.preprocessing") == "gcn":
        words.append("images without local normalisation")
    return ", ".join(words)


def curve(cell: Cell, corruption: str) -> dict[float, Measured]:
    """Return accuracy at strengths 0 (clean) to 5, in %, mean over draws."""
    each = zip(*(accuracies(record, corruption) for record in cell.records), strict=True)
    return {float(n): mean_of(values, f"accuracy, {corruption}", "%") for n, values in enumerate(each)}


def share(cell: Cell, corruption: str) -> Measured:
    """Return the fraction of accuracy kept under a corruption (see `tables.kept`), mean over draws."""
    return mean_of([kept(record, corruption) for record in cell.records], f"kept under {corruption}", "%")


def with_and_without(cells: Sequence[Cell]) -> list[Change]:
    """Return pairs of networks that differ only in N, the one without first."""
    kinds = {WITHOUT, WITH}
    return [
        change
        for change in differences(cells)
        if change.respect == "model.normalise"
        and {cell.config["model.normalise"] for cell in (change.before, change.after)} == kinds
    ]


def gain(change: Change, corruption: str) -> Measured:
    """Compute the paired difference of the fraction kept, with N minus without, in percentage points.

    Raises:
        MultistageError: The images of a shared draw differ.
    """
    both = pairs(change.after, change.before).values()
    found = [kept(record, corruption) - kept(other, corruption) for record, other in both]
    return mean_of(found, f"kept more under {corruption}", "points")
