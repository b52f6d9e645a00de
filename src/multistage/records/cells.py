"""Cells of a table: runs that differ only in draw and seed, with their mean, spread, interval and the paper's figure.

Every figure is the mean over classes of the accuracy on test images, in percent. Intervals are Student's 95 %
confidence intervals over runs. They show how much another choice of images and filters moves the mean, if each run has
its own draw and seed (``seed=${draw}``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, stdev
from typing import Any, Literal

from multistage.data import data_sets
from multistage.records.files import path
from multistage.records.intervals import Interval, Measured, half_width, mean_of, t_interval
from multistage.records.paper import matching
from multistage.records.runs import Record
from multistage.records.schema import DRAW
from multistage.registry.errors import MultistageError
from multistage.registry.words import key_of, listing
from multistage.settings.config import bearing
from multistage.settings.naming import IN_PATH

Key = tuple[tuple[str, Any], ...]
Draw = tuple[int, int]
Mark = Literal["inside", "within three points", "off"]

SIGNS: dict[Mark, str] = {
    "inside": "\N{BLACK CIRCLE}",
    "within three points": "\N{CIRCLE WITH LEFT HALF BLACK}",
    "off": "\N{WHITE CIRCLE}",
}

CLOSE = 3.0
"""Tolerance around the paper's figure, in points; beyond it a cell is off."""

FEW = 3
"""Smallest number of runs whose interval counts; with two, its half width is six times their difference, by chance."""

METRIC = "test_mean_class_accuracy"
COMPARED = ("data_hash", "results_version", "split_hash")
"""What runs of one draw must have in common."""

VARYING = ("draw", "seed")
"""Settings that differ between the runs of a cell."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Runs that differ only in draw and seed.

    Args:
        key: Their common settings that affect results, sorted.
        records: Sorted by draw, then seed.
        paper: The entry of `results/paper.yaml` for this cell; None if nothing was published.
        title: Description of the cell, unique within one call of `cells`.
        repeats: Number of further runs that repeat one of these, see `distinct`.
    """

    key: Key
    records: tuple[Record, ...]
    paper: Record | None
    title: str
    repeats: int = 0

    @property
    def diverged(self) -> int:
        """Return how many runs diverged."""
        return sum("diverged" in record for record in self.records)

    @cached_property
    def config(self) -> Record:
        """Return the common settings as a mapping."""
        return dict(self.key)

    @property
    def values(self) -> tuple[float, ...]:
        """Return the mean accuracy over classes of each run, in percent."""
        return tuple(map(accuracy, self.records))

    @property
    def n(self) -> int:
        """Return the number of runs."""
        return len(self.records)

    @property
    def mean(self) -> float:
        """Return the mean over runs, in percent."""
        return fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Return the standard deviation over runs (n - 1 in the denominator), in points; None for a single run."""
        return stdev(self.values) if self.n > 1 else None

    @property
    def interval(self) -> Interval | None:
        """Return the 95 % t-interval of the mean, in percent; None for a single run."""
        return t_interval(self.values)

    @property
    def half_width(self) -> float | None:
        """Return half the width of the interval, the number after the plus-minus sign, in points."""
        return None if self.interval is None else half_width(self.interval)

    @property
    def training(self) -> float:
        """Return the mean accuracy on all training images, in percent; far above `mean`: overfitting."""
        return fmean(100 * record["metrics"]["train_accuracy"] for record in self.records)

    @property
    def difference(self) -> float | None:
        """Return the mean minus the paper's figure, in points."""
        return None if self.paper is None else self.mean - self.paper["value"]

    @property
    def is_close(self) -> bool | None:
        """Whether the mean is within three points of the paper's figure; None if nothing was published."""
        return None if self.difference is None else round(abs(self.difference), 9) <= CLOSE

    @property
    def mark(self) -> Mark | None:
        """Compare the paper's figure with ours; None if nothing was published.

        "inside": it is in our 95 % interval. The paper's own error bar does not widen the interval, so a wide bar is no
        advantage; fewer than three runs, whose interval is mostly chance, never count as inside. "within three
        points": at most 3 points from our mean. "off": neither.
        """
        if self.paper is None:
            return None
        if self.n >= FEW and self.interval is not None and self.interval[0] <= self.paper["value"] <= self.interval[1]:
            return "inside"
        return "within three points" if self.is_close else "off"

    @property
    def seconds(self) -> float:
        """Return the mean seconds of a run, over all phases."""
        return fmean(sum(record["seconds"].values()) for record in self.records)


def cells(records: Iterable[Record], paper: Sequence[Record] = ()) -> list[Cell]:
    """Group records into cells, in the order of their first records.

    Args:
        records: Records of finished runs, in any order of draws and seeds.
        paper: Published figures, from `paper.published`.

    Raises:
        MultistageError: Records that must not be averaged: a run that occurs twice; different images, code versions or
            settings within a cell.
    """
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    titles = _titles({settings: group[0] for settings, group in groups.items()})
    found = [
        Cell(settings, tuple(sorted(group, key=draw)), matching(paper, group[0]["config"]), title)
        for (settings, group), title in zip(groups.items(), titles, strict=True)
    ]
    _refuse_mixes(found)
    return [replace(cell, records=(kept := distinct(cell.records)), repeats=cell.n - len(kept)) for cell in found]


def distinct(records: Sequence[Record]) -> tuple[Record, ...]:
    """Return the first run for each split and seed of a cell.

    Draws choose nothing if all images of a data set's own split are used. Runs that differ in them alone are one run,
    and an interval over them would be zero.
    """
    found: dict[tuple[str, int], Record] = {}
    for record in records:
        found.setdefault((record["split_hash"], record["config"]["seed"]), record)
    return tuple(found.values())


def paired(a: Cell, b: Cell) -> Measured:
    """Return how much better `a` is than `b`, in points: mean of differences over the draws and seeds of both.

    Raises:
        MultistageError: No common draw and seed, or a common draw with different images.
    """
    found = pairs(a, b)
    if not found:
        raise MultistageError(f"{a.title} and {b.title} share no draw and seed; run both with the same draw= and seed=")
    return mean_of([accuracy(one) - accuracy(other) for one, other in found.values()], unit="points")


def pairs(a: Cell, b: Cell) -> dict[Draw, tuple[Record, Record]]:
    """Pair the runs of two cells by common draws and seeds.

    Raises:
        MultistageError: A common draw with different images.
    """
    theirs = {draw(record): record for record in b.records}
    found = {draw(record): (record, theirs[draw(record)]) for record in a.records if draw(record) in theirs}
    for one, other in found.values():
        refuse_difference(one, other)
    return found


def key(record: Record) -> Key:
    """Return the settings that a run reads and that affect its result, without draw and seed; own images by folder."""
    settings = bearing(record["config"])
    if data_sets[record["config"]["data"]].root_is_content:
        settings["data.root"] = record["config"].get("data.root")
    return tuple((k, _plain(settings[k])) for k in sorted(settings) if k not in VARYING)


def accuracy(record: Record) -> float:
    """Return the accuracy of a run on test images, mean over classes, in percent."""
    return 100 * float(record["metrics"][METRIC])


def draw(record: Record) -> Draw:
    """Return draw and seed of a run."""
    return record["config"]["draw"], record["config"]["seed"]


def common_path(record: Record) -> tuple[str, str]:
    """Return a run's folder without draw and seed: the part before them, and the overrides after them."""
    before, overrides = DRAW.split(path(record), maxsplit=1)
    return before, overrides


def typed(record: Record) -> list[str]:
    """Return the settings of a run as they are typed, without those in every folder's name (`naming.IN_PATH`)."""
    words = record.get("overrides", ())
    return [word for word in words if key_of(word) not in IN_PATH]


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list) else value


def _titles(groups: Mapping[Key, Record]) -> list[str]:
    """Describe each cell; if two descriptions are equal, add the settings in which the cells differ."""
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
    return ", ".join(filter(None, [*words, " ".join(typed(record))]))


def _refuse_mixes(found: Sequence[Cell]) -> None:
    """Raise an error if the runs of a cell do not belong together."""
    folders: dict[str, tuple[Record, Cell]] = {}
    for cell in found:
        first = cell.records[0]
        own_images = data_sets[first["config"]["data"]].root_is_content  # these may differ between draws
        common = ("results_version",) if own_images else ("data_hash", "results_version")
        draws: dict[int, Record] = {}
        runs: dict[Draw, Record] = {}
        for record in cell.records:
            refuse_difference(first, record, common)
            refuse_difference(draws.setdefault(record["config"]["draw"], record), record, ("data_hash", "split_hash"))
            if runs.setdefault(draw(record), record) is not record:
                raise MultistageError(f"{path(record)} is recorded twice; keep one of its records")
            older, other = folders.setdefault("".join(common_path(record)), (record, cell))
            if other is not cell:
                names = ", ".join(sorted({name for name, _ in set(other.key) ^ set(cell.key)}))
                raise MultistageError(
                    f"{path(older)} and {path(record)} differ in {names} and cannot stand in one table; "
                    "run the older one again with overwrite=true"
                )


def refuse_difference(one: Record, other: Record, fields: Sequence[str] = COMPARED) -> None:
    """Raise an error if two runs differ in one of these fields, by which they cannot be compared."""
    for field in fields:
        if one.get(field) != other.get(field):
            raise MultistageError(
                f"{path(one)} and {path(other)} differ in {field} ({str(one.get(field))[:12]} and "
                f"{str(other.get(field))[:12]}) and cannot be compared; run the older one again with overwrite=true"
            )
