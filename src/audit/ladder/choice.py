"""Select the ladder's last configuration on held-out training images, by a fixed rule.

The rule was written before its runs. It reads only ``metrics.validation_accuracy``. These runs test one image per class
because every run must test something; no code here reads those results.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audit.ladder.rungs import HELD_OUT, Rung
from multistage.records.cells import Cell, cells, pairs
from multistage.records.intervals import Measured, mean_of
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError
from multistage.registry.words import key_of
from multistage.settings.tree import Config, parse

FOLDER = "ladder_tuning"
DRAWS = range(5, 10)
"""Draws on which settings are selected; the ladder is scored on others."""

GRAY = "gray"

NEAR = 0.5
"""Largest distance from the best accuracy, in percentage points."""

RULE = (
    f"Take the configurations that were run on all of draws {DRAWS[0]} to {DRAWS[-1]}. Keep those whose mean accuracy "
    f"on held-out images is at most {NEAR:g} points below the highest. Choose the one with the fewest features; among "
    "equals, the most accurate."
)

SAID = ("data", "data.validation", "data.test_per_class", "draw", "seed", "filters", "refine", "readout")
"""Settings that all runs share, that vary within a cell, or that `words` has first; others are printed as typed."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A configuration that was tried.

    Attributes:
        cell: Its runs.
        less: Paired difference from the selected configuration; None for the selected one itself.
        chosen: Whether it is the selected one.
    """

    cell: Cell
    less: Measured | None = None
    chosen: bool = False

    @property
    def accuracy(self) -> Measured:
        """Return accuracy on held-out images, mean over runs, in %."""
        return mean_of([_held_out(record) for record in self.cell.records], "held-out accuracy", "%")

    @property
    def words(self) -> str:
        """Return its settings as typed on the command line."""
        config = self.cell.config
        typed = self.cell.records[0].get("overrides", ())
        kept = [override for override in typed if key_of(override) not in SAID]
        first = [f"filters={config['filters']}", "refine=true" if config["refine"] else f"readout={config['readout']}"]
        return " ".join([*first, *kept])

    @property
    def features(self) -> int:
        """How many numbers the classifier reads of an image."""
        return parse(self.cell.records[0]["config"]).features

    @property
    def complete(self) -> bool:
        """Return whether it was run on all draws; otherwise it cannot be selected."""
        return {record["config"]["draw"] for record in self.cell.records} >= set(DRAWS)


def candidates(records: Sequence[Record], colour: str = GRAY) -> list[Candidate]:
    """List all configurations that were tried, most accurate first, and mark the selected one.

    Args:
        records: Records of ``results/ladder_tuning``.
        colour: Colour of the images; gray and colour images are selected for separately.

    Raises:
        MultistageError: A run on other draws, or without held-out images.
    """
    refuse(records)
    found = [Candidate(cell) for cell in cells(records) if colour_of(cell.config) == colour]
    tried = sorted(found, key=lambda candidate: -candidate.accuracy.value)
    best = choose(tried)
    return [replace(each, less=_less(each, best), chosen=each is best) for each in tried]


def colour_of(config: Config) -> str:
    """Return the colour setting of a run's images."""
    return str(config.get("data.colour", GRAY))


def choose(tried: Sequence[Candidate]) -> Candidate | None:
    """Apply `RULE`; None until a configuration was run on all draws."""
    running = [each for each in tried if each.complete]
    highest = max((each.accuracy.value for each in running), default=0)
    near = [each for each in running if each.accuracy.value >= highest - NEAR - 1e-9]
    return min(near, key=lambda each: (each.features, -each.accuracy.value), default=None)


def is_chosen(rung: Rung, tried: Sequence[Candidate]) -> bool:
    """Return whether a rung is the selected configuration."""
    wanted = rung.wanted(FOLDER, HELD_OUT)
    return any(each.chosen and wanted.fits(each.cell) and not wanted.unsaid(each.cell) for each in tried)


def refuse(records: Sequence[Record]) -> None:
    """Reject runs that must not be used for selection.

    Raises:
        MultistageError: Names the first such run and the reason.
    """
    for record in records:
        config = record["config"]
        if config["draw"] not in DRAWS or not config["data.validation"]:
            raise MultistageError(
                f"results/{FOLDER} has a run of draw={config['draw']} with data.validation="
                f"{config['data.validation']}; expected draws {DRAWS[0]} to {DRAWS[-1]} and images held out"
            )


def _held_out(record: Record) -> float:
    return 100 * float(record["metrics"]["validation_accuracy"])


def _less(one: Candidate, best: Candidate | None) -> Measured | None:
    if best is None or one is best:
        return None
    shared = [_held_out(record) - _held_out(other) for record, other in pairs(one.cell, best.cell).values()]
    return mean_of(shared, unit="points") if shared else None
