"""Rungs and their runs: accuracy, gain over another rung, minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from audit.ladder.costs import Costs
from audit.ladder.rungs import BESIDE, COLOUR, REST, RUNGS, SCORED, Rung
from audit.tables.addresses import find
from audit.tables.results import Results
from multistage.records.cells import Cell, paired, pairs
from multistage.records.intervals import Measured
from multistage.records.runs import Record
from multistage.registry.errors import MultistageError

FOLDERS = ("ladder", "table1")
"""Folders that hold runs of rungs, searched in this order."""

DRAWS = range(5)
"""Draws on which rungs are scored. Nothing is selected on them."""


@dataclass(frozen=True, eq=False)
class Step:
    """A rung with its results.

    Attributes:
        rung: The rung.
        some: Its runs on up to thirty test images per class; None if it was not run.
        rest: Its runs on all remaining images; None if they were not run.
        gain: Paired difference of `some` from the rung that it is compared with; None if there is nothing to compare.
        seconds: Seconds of each run of `some`, from `Costs`.
    """

    rung: Rung
    some: Cell | None
    rest: Cell | None
    gain: Measured | None
    seconds: Sequence[float]

    @property
    def minutes(self) -> float:
        """Return the mean minutes of a run."""
        return fmean(self.seconds) / 60


class Ladder:
    """All rungs with the results that exist.

    Args:
        results: All published results.
        rungs: Rungs in order.
        beside: Variants of rungs.
        colour: Rungs on images in colour.

    Attributes:
        rungs: The rungs with their results, in order.
        beside: The variants of rungs.
        colour: The rungs on images in colour.
        gray: The rungs and their variants, on gray images.
        steps: All of them.
        numbers: Numbers of rungs by name.

    Raises:
        MultistageError: Runs of the ladder on other draws or with held-out images, or two cells for one rung.
    """

    def __init__(
        self,
        results: Results,
        rungs: Sequence[Rung] = RUNGS,
        beside: Sequence[Rung] = BESIDE,
        colour: Sequence[Rung] = COLOUR,
    ) -> None:
        refuse(results.records("ladder"))
        self._found = results.found
        self._costs = {name: Costs(results.records(name)) for name in FOLDERS}
        steps: dict[str, Step] = {}
        for rung in (*rungs, *beside, *colour):
            if rung.name in steps:
                raise MultistageError(f"two rungs of the ladder are named {rung.name}; rename one")
            steps[rung.name] = self._step(rung, steps)
        self.steps = list(steps.values())
        self.rungs, self.beside, self.colour = ([steps[rung.name] for rung in some] for some in (rungs, beside, colour))
        self.gray = [*self.rungs, *self.beside]
        self.numbers = {rung.name: number for number, rung in enumerate(rungs, 1)}

    def name(self, step: Step) -> str:
        """Return the name of a step, after its number if it is a rung."""
        number = self.numbers.get(step.rung.name)
        return f"{number} {step.rung.name}" if number else step.rung.name

    @property
    def top(self) -> Step | None:
        """Return the highest rung that was run."""
        return next((step for step in reversed(self.rungs) if step.some), None)

    @property
    def records(self) -> list[Record]:
        """Return the records of all rungs, from which the page is made."""
        cells = [cell for step in self.steps for cell in (step.some, step.rest) if cell]
        return [record for cell in cells for record in cell.records]

    def _step(self, rung: Rung, above: Mapping[str, Step]) -> Step:
        (some, folder), (rest, _) = self._cell(rung, SCORED), self._cell(rung, REST)
        seconds = [self._costs[folder].seconds(record) for record in some.records] if some else []
        before = None
        if rung.against:
            if rung.against not in above:
                raise MultistageError(f"rung {rung.name} of the ladder is compared with {rung.against}, not above it")
            before = above[rung.against].some
        gain = paired(some, before) if some and before and pairs(some, before) else None
        return Step(rung, some, rest, gain, seconds)

    def _cell(self, rung: Rung, how: Mapping[str, object]) -> tuple[Cell | None, str]:
        for folder in FOLDERS:
            try:
                if found := find(rung.wanted(folder, how), self._found):
                    return found, folder
            except LookupError as error:
                raise MultistageError(f"rung {rung.name} of the ladder {error.args[0]}") from None
        return None, ""


def refuse(records: Sequence[Record]) -> None:
    """Reject runs that do not score a rung.

    Raises:
        MultistageError: Names the first such run and the reason.
    """
    for record in records:
        config = record["config"]
        if config["draw"] not in DRAWS or config["data.validation"]:
            raise MultistageError(
                f"results/ladder has a run of draw={config['draw']} with data.validation={config['data.validation']}; "
                f"expected draws {DRAWS[0]} to {DRAWS[-1]}, no images held out; tuning is in results/ladder_tuning"
            )
