"""Accuracy of networks under corruptions, and what contrast normalisation keeps of it."""

from collections.abc import Sequence

from audit.tables.differences import Change, differences
from audit.tables.kept import accuracies, kept
from audit.tables.layout import symbol
from multistage.records.cells import Cell, pairs
from multistage.records.intervals import Measured, mean_of
from multistage.records.paper import letters
from multistage.records.runs import Record

WITHOUT, WITH = "none", "lcn"
"""Of ``model.normalise``."""


def name(cell: Cell, published: Sequence[Record]) -> str:
    """A network in the paper's words, and how its images were prepared if not as the paper's."""
    config = cell.config
    words = [symbol(config["model"], published), letters(config)]
    if config.get("data.preprocessing") == "gcn":
        words.append("images without local normalisation")
    return ", ".join(words)


def curve(cell: Cell, corruption: str) -> dict[float, Measured]:
    """Accuracy at strengths 0 (clean) to 5, in %, mean over draws."""
    each = zip(*(accuracies(record, corruption) for record in cell.records), strict=True)
    return {float(n): mean_of(values, f"accuracy, {corruption}", "%") for n, values in enumerate(each)}


def share(cell: Cell, corruption: str) -> Measured:
    """What is kept under a corruption, see `tables.kept`, mean over draws."""
    return mean_of([kept(record, corruption) for record in cell.records], f"kept under {corruption}", "%")


def with_and_without(cells: Sequence[Cell]) -> list[Change]:
    """Pairs of networks that differ in N alone, the one without first."""
    kinds = {WITHOUT, WITH}
    return [
        change
        for change in differences(cells)
        if change.respect == "model.normalise"
        and {cell.config["model.normalise"] for cell in (change.before, change.after)} == kinds
    ]


def gain(change: Change, corruption: str) -> Measured:
    """How much larger the share is that is kept with N than without, draw by draw on the same images, in points.

    Raises:
        MultistageError: A shared draw holds other images.
    """
    both = pairs(change.after, change.before).values()
    found = [kept(record, corruption) - kept(other, corruption) for record, other in both]
    return mean_of(found, f"kept more under {corruption}", "points")
