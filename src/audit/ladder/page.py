"""Functions that ``results/ladder/README.template.md`` calls, and its picture."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from audit.ladder import averages, choice, others, plot
from audit.ladder.climb import Ladder, Step
from audit.ladder.measures import MEASURES, over
from audit.ladder.rungs import BESIDE, COLOUR, RUNGS, Rung
from audit.tables.plot import renew
from audit.tables.results import Results
from audit.tables.tables import emphasised, plus_minus, rows, signed
from audit.tables.words import count, listed, not_run
from multistage.records.cells import METRIC, Cell
from multistage.records.files import path
from multistage.records.intervals import Measured, mean_of

FOLDER, PICTURE = "ladder", "ladder.png"


class Page:
    """Tables of the page.

    Args:
        results: All published results.
        rungs: Rungs in order.
        beside: Variants of rungs.
        colour: Rungs on images in colour.

    Raises:
        MultistageError: Runs that do not belong to the ladder.
    """

    def __init__(
        self,
        results: Results,
        rungs: Sequence[Rung] = RUNGS,
        beside: Sequence[Rung] = BESIDE,
        colour: Sequence[Rung] = COLOUR,
    ) -> None:
        self.folder = results.root / FOLDER
        self.ladder = Ladder(results, rungs, beside, colour)
        self.records, self.tuning = results.records(FOLDER), results.records(choice.FOLDER)
        self.others, self.averages = others.read(self.folder), averages.read(self.folder)

    def functions(self) -> dict[str, Callable[[], str]]:
        """Return the template's functions by name."""
        return {
            "ladder_rungs": lambda: self.climbed(self.ladder.rungs),
            "ladder_beside": lambda: self.climbed(self.ladder.beside),
            "ladder_colour": lambda: self.climbed(self.ladder.colour),
            "ladder_averages": lambda: averages.table(self.averages, self.ladder),
            "ladder_counts": self.counts,
            "ladder_missing": self.missing,
            "ladder_top": self.top,
            "ladder_others": lambda: others.table(self.others),
            "ladder_rule": lambda: choice.RULE,
            "ladder_tried": self.tried,
            "ladder_agreed": self.agreed,
        }

    def climbed(self, steps: Sequence[Step]) -> str:
        """Markdown: one row per rung that was run, with its gain; `missing` names the others."""
        header = [
            "rung",
            "what it adds",
            "paper or reason",
            "runs",
            "accuracy",
            "gain",
            "all other images",
            "gain on them",
            "minutes",
            "threads",
        ]
        lines = [
            [
                *(self.ladder.name(step), step.rung.adds, step.rung.source, step.some.n),
                *(plus_minus(step.some), self._gain(step, step.gain)),
                *(self._rest(step) or "–", self._gain(step, self._rest_gain(step))),
                *(f"{step.minutes:.1f}", _threads(step.some)),
            ]
            for step in steps
            if step.some
        ]
        return rows(header, lines) if lines else not_run(FOLDER)

    def counts(self) -> str:
        """Markdown: accuracy of rungs and variants, in gray, under all measures, for both choices of test images."""
        lines = [
            [self.ladder.name(step), images, cell.n, *(plus_minus(over(cell.records, name)) for name in MEASURES)]
            for step in self.ladder.gray
            for images, cell in (("up to 30 a class", step.some), ("all others", step.rest))
            if cell
        ]
        return rows(["rung", "test images", "runs", *MEASURES], lines) if lines else not_run(FOLDER)

    def missing(self) -> str:
        """Name rungs that were not run, rungs not tested on all remaining images, and runs that belong to no rung."""
        steps = self.ladder.steps
        not_run = [
            f"{self.ladder.name(step)} (about {step.rung.minutes:g} minutes a run)" for step in steps if not step.some
        ]
        not_all = [self.ladder.name(step) for step in steps if step.some and not self._rest(step)]
        said = [f"Not run: {listed(not_run)}."] if not_run else ["Every rung was run."]
        if not_all:
            said.append(f"Not tested on all other images: {listed(not_all)}.")
        shown = {path(record) for record in self.ladder.records}
        if unplaced := [path(record) for record in self.records if path(record) not in shown]:
            said.append(f"Runs in table.md that belong to no rung: {listed(unplaced)}.")
        return " ".join(said)

    def top(self) -> str:
        """Describe the highest rung that was run in one sentence."""
        last = self.ladder.top
        if last is None or last.some is None:
            return not_run(FOLDER)
        cell = last.some
        return (
            f"The highest rung that was run is {self.ladder.numbers[last.rung.name]}, {last.rung.name}. It has "
            f"{plus_minus(cell)} % ({count(cell.n, 'draw')}) in {last.minutes:.0f} minutes a run."
        )

    def tried(self) -> str:
        """Markdown: configurations tried on held-out images, most accurate first, and which one was selected."""
        colours = sorted({choice.colour_of(record["config"]) for record in self.tuning})
        tables = []
        for colour in colours:
            words = "" if colour == choice.GRAY else f"`data.colour={colour}`, selected separately:\n\n"
            tables.append(words + _candidates(choice.candidates(self.tuning, colour)))
        return "\n\n".join(tables) or not_run(choice.FOLDER)

    def agreed(self) -> str:
        """Say whether the rule selects the last rung, and what was more accurate by less than it asks for."""
        tried = choice.candidates(self.tuning)
        chosen = [each.words for each in tried if each.chosen]
        last = self.ladder.name(self.ladder.rungs[-1])
        if not chosen:
            return "Nothing is chosen yet."
        if choice.is_chosen(self.ladder.rungs[-1].rung, tried):
            above = [f"`{each.words}`" for each in tried if each.complete and each.less and each.less.value > 0]
            said = f"The last rung, {last}, is what the rule chooses."
            near = "More accurate, but by less than the rule asks for, with more features"
            return f"{said} {near}: {listed(above)}." if above else said
        return f"The rule chooses `{chosen[0]}`, and the last rung, {last}, is another configuration."

    def picture(self, redraw: bool = False) -> Path | None:
        """Draw the picture if its records, rungs or lines changed since it was drawn.

        Returns:
            Its path if it was drawn.
        """
        steps = self.ladder.gray
        if not self.folder.is_dir() or not any(step.some for step in steps):
            return None
        lines = [(other.value, other.line) for other in self.others if other.line]
        names = [(self.ladder.name(step), step.some is not None) for step in steps]
        figures = f"{self.climbed(steps)}\n{names}\n{lines}"
        draw = partial(plot.draw, self.ladder, self.others)
        return renew(self.folder / PICTURE, self.ladder.records, figures, draw, redraw)

    def _rest(self, step: Step) -> str:
        """Return the accuracy on all remaining images: of its runs, or of networks tested again for an average."""
        found = list(self._on_rest(step).values())
        return f"{plus_minus(mean_of(found, 'accuracy', '%'))} ({len(found)})" if found else ""

    def _rest_gain(self, step: Step) -> Measured | None:
        before = next((each for each in self.ladder.steps if each.rung.name == step.rung.against), None)
        one, other = self._on_rest(step), self._on_rest(before) if before else {}
        shared = [one[draw] - other[draw] for draw in one if draw in other]
        return mean_of(shared, unit="points") if shared else None

    def _on_rest(self, step: Step) -> dict[int, float]:
        """Return the accuracy on all remaining images, in %, by draw."""
        if step.rest:
            return {record["config"]["draw"]: 100 * record["metrics"][METRIC] for record in step.rest.records}
        return averages.retested(self.averages, step.some.records) if step.some else {}

    def _gain(self, step: Step, gain: Measured | None) -> str:
        if gain is None:
            return "–" if step.rung.against else ""
        against = self.ladder.numbers.get(step.rung.against, step.rung.against)
        return f"{emphasised(gain)} ({gain.n}) on {against}"


def _threads(cell: Cell) -> str:
    """Return the number of threads of the runs and of the machine's cores."""
    found = {f"{record['threads']} of {record['hardware']['cores']}" for record in cell.records}
    return listed(sorted(found))


def _candidates(tried: Sequence[choice.Candidate]) -> str:
    lines = [
        [
            *(f"`{candidate.words}`", candidate.cell.n),
            plus_minus(candidate.accuracy),
            "" if candidate.less is None else signed(candidate.less),
            *(f"{candidate.features:,}", f"{candidate.cell.seconds / 60:.1f}", _fate(candidate)),
        ]
        for candidate in tried
    ]
    header = ["settings", "draws", "accuracy on held-out images", "minus the chosen one", "features", "minutes", ""]
    return rows(header, lines)


def _fate(candidate: choice.Candidate) -> str:
    if candidate.chosen:
        return "**chosen**"
    return "dropped" if candidate.complete else "not run on all draws"
