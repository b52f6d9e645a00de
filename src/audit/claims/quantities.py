"""What the tests of `claims` measure of cells: accuracies, what they differ by, and epochs to a training loss.

Each is taken draw by draw; its mean over draws has Student's 95 % interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from statistics import fmean
from typing import Literal

from audit.claims.claims import Effect, Test
from audit.tables.addresses import Cells
from multistage.records.cells import METRIC, Cell, Draw, draw, pairs
from multistage.records.intervals import Measured, t_interval
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

TINY = 1e-12
"""Nats; below any loss that float32 tells from none."""

Side = Literal["", "at least", "at most", "about"]


@dataclass(frozen=True)
class Estimate:
    """A test's quantity, mean over draws.

    Attributes:
        figure: None without data.
        side: Which bound it is, as some runs never got to a loss and are counted as one epoch more than they had.
        reason: Why there is no figure though all cells are there; "" where there is one.
    """

    figure: Measured | None
    side: Side = ""
    reason: str = ""


def estimate(test: Test, cells: Cells) -> Estimate:
    """The quantity of a test about cells.

    Args:
        test: With an effect.
        cells: By address, as from `addresses.addresses`; all that the test names are there.

    Raises:
        MultistageError: The paper's figure is asked for where it has none, or runs must not be compared.
    """
    assert test.effect is not None
    if test.to_loss is not None:
        return _epochs(test.effect, cells, test.to_loss, test.says)
    values = _accuracies(test.effect, cells)
    if test.beyond is not None:
        others = _accuracies(test.beyond, cells)
        values = {key: value - others[key] for key, value in values.items() if key in others}
    unit = "points" if test.effect.minus or test.effect.less_paper else "%"
    if not values:
        return Estimate(None, reason="the cells share no draw and seed")
    return Estimate(_mean([*values.values()], test.says, unit))


def _accuracies(effect: Effect, cells: Cells) -> dict[Draw, float]:
    """An effect on accuracy, in points, by the draws and seeds that its cells share."""
    cell = cells[effect.cell]
    if effect.minus is not None:
        found = pairs(cell, cells[effect.minus])
        return {key: _accuracy(one) - _accuracy(other) for key, (one, other) in found.items()}
    subtracted = _of_paper(cell) if effect.less_paper else 0.0
    return {draw(record): _accuracy(record) - subtracted for record in cell.records}


def _accuracy(record: Record) -> float:
    return 100 * record["metrics"][METRIC]


def _of_paper(cell: Cell) -> float:
    if cell.paper is None:
        raise MultistageError(
            f"the paper has no figure for {cell.title}, from which a rule of claims.yaml subtracts it"
        )
    return float(cell.paper["value"])


def _epochs(effect: Effect, cells: Cells, loss: float, says: str) -> Estimate:
    """How many epochs later the effect's first cell gets to a loss; pairs of which neither does are left out."""
    assert effect.minus is not None
    found = [(_losses(one), _losses(other)) for one, other in pairs(cells[effect.cell], cells[effect.minus]).values()]
    reached = [pair for pair in found if all(pair) and min(*pair[0], *pair[1]) <= loss]
    if not reached:
        return Estimate(None, reason=f"no pair of runs got to a training loss of {loss:g}")
    late = any(min(first) > loss for first, _ in reached)
    early = any(min(second) > loss for _, second in reached)
    side: Side = "about" if late and early else "at least" if late else "at most" if early else ""
    return Estimate(_mean([_epoch(one, loss) - _epoch(other, loss) for one, other in reached], says, "epochs"), side)


def _losses(record: Record) -> list[float]:
    """Mean training loss by epoch; none of a run that was not trained by epochs, or recorded none."""
    history = record.get("history", {})
    return list(history["train_loss"]) if "epoch" in history else []


def _epoch(losses: Sequence[float], loss: float) -> float:
    """When losses fall to `loss`, exponentially between epochs; one more than there are epochs if never."""
    if losses[0] <= loss:
        return 1.0
    for epoch, (before, after) in enumerate(pairwise(losses), 1):
        if after <= loss:
            return epoch + log(before / loss) / log(before / max(after, TINY))
    return len(losses) + 1.0


def _mean(values: Sequence[float], says: str, unit: str) -> Measured:
    return Measured(fmean(values), says, unit, t_interval(values), len(values))
