"""Cells of a table: runs that differ only in draw and seed, with their mean, spread, interval and the paper's figure.

Every figure is the mean over classes of the share of test images put into the right class, in percent. Intervals are
Student's confidence intervals, 95 %, over runs: they say how far another choice of images and filters moves the mean,
if each run has a draw of its own (``seed=${draw}``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev
from typing import Any, Literal

from multistage.data import data_sets
from multistage.records.files import path
from multistage.records.intervals import Interval, half_width, t_interval
from multistage.records.paper import matching
from multistage.records.runs import Record
from multistage.records.schema import DRAW
from multistage.registry.errors import MultistageError
from multistage.registry.words import listing
from multistage.settings.config import bearing

Key = tuple[tuple[str, Any], ...]
Draw = tuple[int, int]
Mark = Literal["inside", "within three points", "off"]

SIGNS: dict[Mark, str] = {
    "inside": "\N{BLACK CIRCLE}",
    "within three points": "\N{CIRCLE WITH LEFT HALF BLACK}",
    "off": "\N{WHITE CIRCLE}",
}

CLOSE = 3.0
"""Points from the paper's figure; a cell further off has missed it."""

FEW = 3
"""Runs; the interval of two is six times their difference, near or far as luck has it."""

METRIC = "test_mean_class_accuracy"
VARYING = ("draw", "seed")
"""What tells the runs of one cell apart."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Runs that differ only in draw and seed.

    Args:
        key: Their common settings, those that bear on results, sorted.
        records: Sorted by draw, then seed.
        paper: The entry of `results/paper.yaml` for this cell, None if nothing was published.
        title: The cell in words; no two cells of one call of `cells` share it.
    """

    key: Key
    records: tuple[Record, ...]
    paper: Record | None
    title: str

    @cached_property
    def config(self) -> Record:
        """The common settings as a mapping."""
        return dict(self.key)

    @property
    def values(self) -> tuple[float, ...]:
        """Mean accuracy over classes of each run, in percent."""
        return tuple(100 * record["metrics"][METRIC] for record in self.records)

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.records)

    @property
    def mean(self) -> float:
        """Mean over runs, in percent."""
        return fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Standard deviation over runs (n - 1 in the denominator), in points; None for a single run."""
        return stdev(self.values) if self.n > 1 else None

    @property
    def interval(self) -> Interval | None:
        """95 % t-interval of the mean, in percent; None for a single run."""
        return t_interval(self.values)

    @property
    def half_width(self) -> float | None:
        """What stands behind the plus-minus: half the width of the interval, in points."""
        return None if self.interval is None else half_width(self.interval)

    @property
    def training(self) -> float:
        """Mean over runs of the accuracy on training images, all alike, in percent; far above `mean`: overfitting."""
        return fmean(100 * record["metrics"]["train_accuracy"] for record in self.records)

    @property
    def difference(self) -> float | None:
        """Mean minus the paper's figure, in points."""
        return None if self.paper is None else self.mean - self.paper["value"]

    @property
    def is_close(self) -> bool | None:
        """Whether the mean lies within three points of the paper's figure; None where nothing was published."""
        return None if self.difference is None else round(abs(self.difference), 9) <= CLOSE

    @property
    def mark(self) -> Mark | None:
        """How the paper's figure lies to ours; None where nothing was published.

        "inside": it lies in our 95 % interval, which is not widened by the paper's own error bar, so that a wide bar
        flatters nobody; fewer than three runs, whose interval is a matter of luck, are never inside. "within three
        points": at most 3 points from our mean. "off": neither.
        """
        if self.paper is None:
            return None
        if self.n >= FEW and self.interval is not None and self.interval[0] <= self.paper["value"] <= self.interval[1]:
            return "inside"
        return "within three points" if self.is_close else "off"

    @property
    def seconds(self) -> float:
        """Mean over runs of the seconds that one took, all phases."""
        return fmean(sum(record["seconds"].values()) for record in self.records)


@dataclass(frozen=True)
class Difference:
    """Differences run by run, in points.

    Args:
        mean: Their mean.
        sd: Their standard deviation, None for one pair.
        interval: 95 % t-interval of their mean, None for one pair.
        n: How many pairs.
    """

    mean: float
    sd: float | None
    interval: Interval | None
    n: int


def cells(records: Iterable[Record], paper: Sequence[Record] = ()) -> list[Cell]:
    """Records grouped into cells, in the order in which their first records come.

    Args:
        records: Of finished runs, any order of draws and seeds.
        paper: Published figures, as from `paper.published`.

    Raises:
        MultistageError: Records that must not be averaged: one run twice, other images or another version of the code
            in one cell, or settings that changed while a cell's draws were run.
    """
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    titles = _titles({settings: group[0] for settings, group in groups.items()})
    found = [
        Cell(
            settings,
            tuple(sorted(group, key=lambda r: (r["config"]["draw"], r["config"]["seed"]))),
            matching(paper, group[0]["config"]),
            title,
        )
        for (settings, group), title in zip(groups.items(), titles, strict=True)
    ]
    _refuse_mixes(found)
    return found


def paired(a: Cell, b: Cell) -> Difference:
    """How much better `a` is than `b`: differences over the draws and seeds that both have run.

    Raises:
        MultistageError: None is shared, or a shared draw holds other images.
    """
    found = pairs(a, b)
    if not found:
        raise MultistageError(f"{a.title} and {b.title} share no draw and seed; run both with the same draw= and seed=")
    values = [100 * (one["metrics"][METRIC] - other["metrics"][METRIC]) for one, other in found.values()]
    spread = stdev(values) if len(values) > 1 else None
    return Difference(fmean(values), spread, t_interval(values), len(values))


def pairs(a: Cell, b: Cell) -> dict[Draw, tuple[Record, Record]]:
    """The runs of two cells by the draws and seeds that both have run.

    Raises:
        MultistageError: A shared draw holds other images.
    """
    theirs = {draw(record): record for record in b.records}
    found = {draw(record): (record, theirs[draw(record)]) for record in a.records if draw(record) in theirs}
    for one, other in found.values():
        _refuse_difference(one, other, ("data_hash", "results_version", "split_hash"))
    return found


def key(record: Record) -> Key:
    """The settings that a run reads and that bear on its result, without draw and seed; own images by folder."""
    settings = bearing(record["config"])
    if data_sets[record["config"]["data"]].root_is_content:
        settings["data.root"] = record["config"].get("data.root")
    return tuple((k, _plain(settings[k])) for k in sorted(settings) if k not in VARYING)


def draw(record: Record) -> Draw:
    """Draw and seed of a run."""
    return record["config"]["draw"], record["config"]["seed"]


def common_path(record: Record) -> tuple[str, str]:
    """A run's folder without draw and seed: what stands before them, and further overrides, which follow."""
    before, overrides = DRAW.split(path(record), maxsplit=1)
    return before, overrides


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list) else value


def _titles(groups: Mapping[Key, Record]) -> list[str]:
    """Each cell in words; where these do not tell two apart, the settings in which they differ do."""
    alike: dict[str, list[Key]] = {}
    plain = {settings: _title(record) for settings, record in groups.items()}
    for settings, title in plain.items():
        alike.setdefault(title, []).append(settings)
    shared = {title: set(first).intersection(*others) for title, (first, *others) in alike.items()}
    return [
        ", ".join([title, *(f"{k}={listing([value])}" for k, value in settings if (k, value) not in shared[title])])
        for settings, title in plain.items()
    ]


def _title(record: Record) -> str:
    config = record["config"]
    stages = "1 stage" if config["stages"] == 1 else f"{config['stages']} stages"
    learned = "refined" if config["refine"] else "frozen"
    words = [config["data"], config["model"], stages, f"{config['filters']} filters {learned}", config["readout"]]
    return ", ".join(filter(None, [*words, common_path(record)[1]]))


def _refuse_mixes(found: Sequence[Cell]) -> None:
    """Raise if a cell's runs do not belong together."""
    folders: dict[str, tuple[Record, Cell]] = {}
    for cell in found:
        draws: dict[int, Record] = {}
        runs: dict[tuple[int, int], Record] = {}
        for record in cell.records:
            same_images = (
                () if data_sets[record["config"]["data"]].root_is_content else ("data_hash",)
            )  # else of a draw's
            _refuse_difference(cell.records[0], record, (*same_images, "results_version"))
            _refuse_difference(draws.setdefault(record["config"]["draw"], record), record, ("data_hash", "split_hash"))
            if runs.setdefault(draw(record), record) is not record:
                raise MultistageError(f"{path(record)} is recorded twice; keep one of its records")
            first, other = folders.setdefault("".join(common_path(record)), (record, cell))
            if other is not cell:
                names = ", ".join(sorted({name for name, _ in set(other.key) ^ set(cell.key)}))
                raise MultistageError(
                    f"{path(first)} and {path(record)} differ in {names} and cannot stand in one table; "
                    "run the older one again with overwrite=true"
                )


def _refuse_difference(one: Record, other: Record, fields: Sequence[str]) -> None:
    for field in fields:
        if one.get(field) != other.get(field):
            raise MultistageError(
                f"{path(one)} and {path(other)} differ in {field} ({_brief(one.get(field))} and "
                f"{_brief(other.get(field))}) and cannot be compared; run the older one again with overwrite=true"
            )


def _brief(value: object) -> str:
    return str(value)[:12]
