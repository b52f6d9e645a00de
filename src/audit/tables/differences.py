"""Paired differences: cells that differ in one respect, compared run by run over common draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from multistage.records.cells import Cell, Draw, draw, paired
from multistage.records.intervals import Measured
from multistage.settings.config import MOST_STAGES, REGISTRIES, is_unread

ORDERS: dict[str, tuple[Any, ...]] = {
    **{key: tuple(REGISTRIES[key]) for key in ("model.rectify", "model.normalise", "model.pool")},
    "refine": (False, True),
    "stages": tuple(range(1, MOST_STAGES + 1)),
    **{key: tuple(REGISTRIES[key]) for key in ("filters", "readout")},
}
"""Respects in display order; of two values, the later one counts as the change."""

OTHER_IMAGES = ("data", "data.train_per_class", "data.test_per_class", "data.validation")
"""Settings that change training or test images, so runs of one draw are not a pair."""


@dataclass(frozen=True, eq=False)
class Change:
    """A change in one respect: `difference` is `after` minus `before`."""

    respect: str
    before: Cell
    after: Cell
    difference: Measured


def differences(cells: Sequence[Cell]) -> list[Change]:
    """Return every pair of cells that differs in one respect and shares draws, by respect.

    Raises:
        MultistageError: Runs of one draw with different images or code versions.
    """
    unread = cache(lambda name, cell: is_unread(name, cell.config))  # reads all settings of a cell
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
    """Return the settings in which two cells differ, without those implied by others."""
    a, b = one.config, other.config
    names = {name for name in {**a, **b} if a.get(name, "absent") != b.get(name, "absent")} - {"model"}
    if "refine" in names:  # refined filters allow only one readout
        names.discard("readout")
    for group in names & {"data", "geometry"}:
        names = {name for name in names if not name.startswith(f"{group}.")}
    return names


def _protocol_first(cell: Cell) -> list[str]:
    config = cell.config
    return [str(config[name]) for name in ("data", "stages", "filters", "refine", "readout", "model")] + [cell.title]


def _draws(cell: Cell) -> set[Draw]:
    return {draw(record) for record in cell.records}


def _rank(name: str, value: Any) -> tuple[int, float, str]:
    order = ORDERS.get(name, ())
    number = value if isinstance(value, int | float) else 0
    return (order.index(value) if value in order else len(order), number, str(value))
