"""Paired differences: cells that differ in one respect, compared run by run over the draws that both have."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from multistage.records.cells import Cell, Difference, paired
from multistage.settings.config import MOST_STAGES, REGISTRIES, is_unread

ORDERS: dict[str, tuple[Any, ...]] = {
    **{key: tuple(REGISTRIES[key]) for key in ("model.rectify", "model.normalise", "model.pool")},
    "refine": (False, True),
    "stages": tuple(range(1, MOST_STAGES + 1)),
    **{key: tuple(REGISTRIES[key]) for key in ("filters", "readout")},
}
"""Respects in the order in which they are shown; of two values, the later one is counted as the change."""

OTHER_IMAGES = ("data", "data.train_per_class", "data.test_per_class", "data.validation")
"""Settings by which other images train or test, so that runs of one draw are no pair."""


@dataclass(frozen=True, eq=False)
class Change:
    """One respect changed: `difference` is `after` minus `before`."""

    respect: str
    before: Cell
    after: Cell
    difference: Difference


def differences(cells: Sequence[Cell]) -> list[Change]:
    """Every pair of cells that differs in one respect and shares draws, by respect; all pairs are looked at.

    Raises:
        MultistageError: Runs of one draw that used other images or another version of the code.
    """
    unread = cache(lambda name, cell: is_unread(name, cell.config))  # which reads all settings of a cell
    found = []
    for i, one in enumerate(cells):
        for other in cells[i + 1 :]:
            names = [name for name in _differing(one, other) if not (unread(name, one) or unread(name, other))]
            if len(names) == 1 and names[0] not in OTHER_IMAGES and _draws(one) & _draws(other):
                before, after = sorted((one, other), key=lambda cell: _rank(names[0], cell.config.get(names[0])))
                found.append(Change(names[0], before, after, paired(after, before)))
    respects = {change.respect for change in found}
    shown = {respect: i for i, respect in enumerate((*ORDERS, *sorted(respects - ORDERS.keys())))}
    order = {cell: i for i, cell in enumerate(sorted(cells, key=_protocol_first))}
    return sorted(found, key=lambda change: (shown[change.respect], order[change.before], order[change.after]))


def _differing(one: Cell, other: Cell) -> set[str]:
    """The settings in which two cells differ; not what follows from another of them."""
    a, b = one.config, other.config
    names = {name for name in {**a, **b} if a.get(name, "absent") != b.get(name, "absent")} - {"model"}
    if "refine" in names:  # refined filters allow one readout only
        names.discard("readout")
    for group in names & {"data", "geometry"}:
        names = {name for name in names if not name.startswith(f"{group}.")}
    return names


def _protocol_first(cell: Cell) -> list[str]:
    config = cell.config
    return [str(config[name]) for name in ("data", "stages", "filters", "refine", "readout", "model")] + [cell.title]


def _draws(cell: Cell) -> set[tuple[int, int]]:
    return {(record["config"]["draw"], record["config"]["seed"]) for record in cell.records}


def _rank(name: str, value: Any) -> tuple[int, float, str]:
    order = ORDERS.get(name, ())
    number = value if isinstance(value, int | float) else 0
    return (order.index(value) if value in order else len(order), number, str(value))
