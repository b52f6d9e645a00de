"""Quantities of claims: accuracies of cells, their differences, epochs to a training loss, numbers of the lecture.

Quantities of cells are computed per draw. Means over draws, or over differences of similar cells, have Student's 95 %
interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from statistics import fmean
from typing import Literal

from audit.tables.addresses import Less, Quantity, Wanted
from audit.tables.kept import kept
from multistage.records.cells import Cell, Draw, accuracy, draw, pairs
from multistage.records.intervals import Measured, mean_of
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

TINY = 1e-12
"""Nats; below any loss that float32 can tell from zero."""

Side = Literal["", "at least", "at most", "about"]
Cells = Mapping[Wanted, Cell]


class OfPaper(Quantity):
    """The paper's figure for the cell from which it is subtracted."""


PAPER = OfPaper()


@dataclass(frozen=True)
class Number(Quantity):
    """A number of ``results/lecture/measured.json``, by claim and name."""

    name: str


@dataclass(frozen=True)
class Kept(Quantity):
    """The fraction of its accuracy that a cell keeps under a corruption, see `tables.kept`."""

    cell: Wanted
    corruption: str


@dataclass(frozen=True)
class Epochs(Quantity):
    """Difference of two cells in epochs until a training loss, in nats, is reached.

    A run that never reaches it counts as one epoch more than it has.
    Pairs in which neither run reaches it do not count.
    """

    loss: float
    one: Wanted
    other: Wanted


@dataclass(frozen=True)
class Over(Quantity):
    """The mean of differences between pairs of cells that differ only in the tested setting, each averaged over draws.

    Its interval is over these differences.
    """

    parts: tuple[Quantity, ...]


@dataclass(frozen=True)
class Estimate:
    """Value of a quantity, mean over draws.

    Attributes:
        figure: The value; None without data.
        side: Whether it is an upper or lower bound, because some runs never reached a loss.
        reason: Why there is no figure although no run is missing; "" if there is one.
    """

    figure: Measured | None
    side: Side = ""
    reason: str = ""


def leaves(quantity: Quantity) -> list[Quantity]:
    """Return the cells and numbers of a quantity, in order."""
    if isinstance(quantity, Over):
        return [leaf for part in quantity.parts for leaf in leaves(part)]
    if isinstance(quantity, Less | Epochs):
        return leaves(quantity.one) + leaves(quantity.other)
    if isinstance(quantity, Kept):
        return [quantity.cell]
    return [] if isinstance(quantity, OfPaper) else [quantity]


def estimate(quantity: Quantity, cells: Cells, numbers: Mapping[str, Measured]) -> Estimate:
    """Compute a quantity whose runs and measurements are all available.

    Raises:
        MultistageError: The paper has no figure that the quantity needs, or runs must not be compared.
    """
    if isinstance(quantity, Epochs):
        return _epochs(quantity, cells)
    if any(isinstance(leaf, Number) for leaf in leaves(quantity)):
        return Estimate(_number(quantity, numbers))
    parts = quantity.parts if isinstance(quantity, Over) else [quantity]
    found = [[*_accuracies(part, cells).values()] for part in parts]
    if not all(found):
        return Estimate(None, reason="the cells share no draw and seed")
    values = [fmean(values) for values in found] if isinstance(quantity, Over) else found[0]
    return Estimate(mean_of(values, unit="%" if isinstance(quantity, Wanted) else "points"))


def of_paper(quantity: Quantity, published: Sequence[Record]) -> float:
    """Compute the paper's value of a quantity.

    Raises:
        LookupError: The paper has no figure for a cell; the message names it.
    """
    if isinstance(quantity, Less):
        return of_paper(quantity.one, published) - of_paper(quantity.other, published)
    entry = quantity.paper(published) if isinstance(quantity, Wanted) else None
    if entry is None:
        name = " | ".join((quantity.folder, *quantity.place(published))) if isinstance(quantity, Wanted) else quantity
        raise LookupError(f"the paper has no figure for {name}")
    return float(entry["value"])


def _accuracies(quantity: Quantity, cells: Cells) -> dict[Draw, float]:
    """Return values in %, or differences in points, by the draws and seeds that all cells share."""
    match quantity:
        case Wanted():
            return {draw(record): accuracy(record) for record in cells[quantity].records}
        case Kept(one, corruption):
            return {draw(record): kept(record, corruption) for record in cells[one].records}
        case Less(Wanted() | Kept() as one, Wanted() | Kept() as other):
            ours, theirs = _accuracies(one, cells), _accuracies(other, cells)
            first, second = (cells[leaf] for leaf in leaves(quantity) if isinstance(leaf, Wanted))
            shared = pairs(first, second)  # rejects runs that must not be compared
            return {key: ours[key] - theirs[key] for key in shared}
        case Less(Wanted() as one, OfPaper()):
            if (entry := cells[one].paper) is None:
                raise MultistageError(
                    f"the paper has no figure for {cells[one].title}, from which a claim subtracts it"
                )
            return {key: value - entry["value"] for key, value in _accuracies(one, cells).items()}
        case Less(one, other):
            theirs = _accuracies(other, cells)
            return {key: value - theirs[key] for key, value in _accuracies(one, cells).items() if key in theirs}
    raise TypeError(f"{quantity} has no accuracy")


def _number(quantity: Quantity, numbers: Mapping[str, Measured]) -> Measured:
    """Return a number of the lecture's page, or the difference of two.

    The interval of a difference is conservative (from end to opposite end), because measurements on the same images
    may be correlated; it is wider than a paired one.
    """
    if isinstance(quantity, Number):
        return numbers[quantity.name]
    assert isinstance(quantity, Less)
    first, other = _number(quantity.one, numbers), _number(quantity.other, numbers)
    (low, high), (least, most) = (each.interval or (each.value, each.value) for each in (first, other))
    interval = (low - most, high - least) if first.interval or other.interval else None
    what = f"{first.what}, minus {other.what}"
    return Measured(first.value - other.value, what, first.unit, interval, min(first.n, other.n))


def _epochs(quantity: Epochs, cells: Cells) -> Estimate:
    loss = quantity.loss
    found = [(_losses(a), _losses(b)) for a, b in pairs(cells[quantity.one], cells[quantity.other]).values()]
    reached = [pair for pair in found if all(pair) and min(*pair[0], *pair[1]) <= loss]
    if not reached:
        return Estimate(None, reason=f"no pair of runs got to a training loss of {loss:g}")
    late = any(min(first) > loss for first, _ in reached)
    early = any(min(second) > loss for _, second in reached)
    side: Side = "about" if late and early else "at least" if late else "at most" if early else ""
    return Estimate(mean_of([_epoch(one, loss) - _epoch(other, loss) for one, other in reached], unit="epochs"), side)


def _losses(record: Record) -> list[float]:
    """Return mean training loss by epoch; empty if a run was not trained by epochs, or did not record them."""
    history = record.get("history", {})
    return list(history["train_loss"]) if "epoch" in history else []


def _epoch(losses: Sequence[float], loss: float) -> float:
    """Return the epoch at which losses reach `loss`, interpolated exponentially; if never, one more than all epochs."""
    if losses[0] <= loss:
        return 1.0
    for epoch, (before, after) in enumerate(pairwise(losses), 1):
        if after <= loss:
            return epoch + log(before / loss) / log(before / max(after, TINY))
    return len(losses) + 1.0
