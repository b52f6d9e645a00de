"""Select the places that later parts of ``experiment=grid`` run, by a rule that was written before the runs.

Places are ranked by the first part alone: accuracy on draw 0, two stages, random frozen filters. Later parts run the
best of them and the paper's five on other draws, so that no place is measured on the draw that selected it. The
selection uses that draw's test images. Draws share images because Caltech-101 is small.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from audit.grid.places import CHOOSING, DISTINCT, FOLDER, PAPER, PRESETS, Grid, Place

ONE_STEP = (
    Place("abs", "lcn", "l2"),
    Place("abs", "lcn", "max_overlap"),
    Place("relu", "lcn", "average"),
    *(Place("abs", each, "average") for each in ("lcn_within", "groupnorm", "layernorm", "rmsnorm", "batchnorm")),
)
"""Places that claims need: the paper's best with a different rectification, normalisation or pooling."""

USUAL_RATE = 0.02
"""The peak learning rate of Caltech-101 (conf/data/caltech101.yaml)."""


@dataclass(frozen=True)
class Part:
    """A later part.

    Attributes:
        name: Name of its file in conf/experiment.
        says: What it runs, as the comment in that file.
        takes: How many runs it has and how long they take.
        best: Number of places taken from the top of the ranking.
        common: Settings of all its runs.
        first: Places that it runs whatever their rank.
        further: Settings of the places ranked after `best`, up to `last`.
        last: Last rank that is run.
        papers: Whether it runs the paper's five, whatever their rank; experiment=table1 has some of their runs.
        folder: Name of the folder of its runs; "" for its own name.
    """

    name: str
    says: str
    takes: str
    best: int
    common: Mapping[str, object]
    first: Sequence[Place] = tuple(PAPER)
    further: Mapping[str, object] = field(default_factory=dict)
    last: int = 0
    papers: bool = True
    folder: str = ""

    def places(self, ranking: Sequence[Place]) -> Iterator[tuple[Place, Mapping[str, object]]]:
        """Yield the places to run, each with its own settings; only `first` if the ranking is empty."""
        for place in dict.fromkeys((*self.first, *ranking[: max(self.best, self.last)])):
            own = {} if place in self.first or place in ranking[: self.best] else self.further
            if self.papers or place not in PAPER:
                yield place, {**own, **({"optimizer.lr": rate(place)} if self.common["refine"] else {})}


FROZEN = {"data": "caltech101", "filters": "random", "refine": False, "readout": "lbfgs"}

PARTS = (
    Part(
        "grid_stages",
        "One and three stages, draw 1: the paper's five columns and the best 40 cells of the first part.",
        "About 90 runs, one to two minutes each on one CPU core.",
        40,
        {**FROZEN, "stages": [1, 3], "draw": 1, "seed": "${draw}"},
    ),
    Part(
        "grid_draws",
        "Two stages, draws 1 to 4: neighbours of the paper's best, the best 30 of the first part; ten more on draw 1.",
        "About 160 runs, one to two minutes each on one CPU core. Runs of the paper's five are in results/table1.",
        30,
        {**FROZEN, "draw": "range(1,5)", "seed": "${draw}"},
        further={"draw": 1},
        last=40,
        papers=False,
        first=ONE_STEP,
        folder=FOLDER,
    ),
    Part(
        "grid_psd",
        "Unsupervised filters, two and three stages, draw 1: the paper's five and the best 30 cells of the first part.",
        "About 70 runs, four to six minutes each on one CPU core.",
        30,
        {**FROZEN, "filters": "psd", "stages": [2, 3], "draw": 1, "seed": "${draw}"},
    ),
    Part(
        "grid_refined",
        "Fine-tuned, two stages, draws 1 and 2: neighbours of the paper's best, the best 15 of the first part.",
        "About 40 runs, ten minutes each on one CPU core. Runs of the paper's five are in results/table1.",
        15,
        {"data": "caltech101", "filters": "random", "refine": True, "draw": "range(1,3)", "seed": "${draw}"},
        first=ONE_STEP,
        papers=False,
    ),
)


def ranked(grid: Grid) -> list[Place]:
    """Rank places by accuracy on the selection draw, best first; empty until the first part is complete."""
    if grid.missing:
        return []
    found = {place: value for place in DISTINCT if (value := grid.chosen_by(place)) is not None}
    return sorted(found, key=lambda place: (-found[place], place))


def to_measure(ranking: Sequence[Place]) -> set[Place]:
    """Return the places that are run on every measurement draw: those of ``grid_draws`` and the paper's five."""
    (draws,) = (part for part in PARTS if part.folder == FOLDER)
    return {*PAPER, *(place for place, _ in replace(draws, last=0).places(ranking))}


def rate(place: Place) -> float:
    """Return the peak learning rate for fine-tuning: that of the most similar column of Table 1 in table1_two_stage.

    Its last column, P_A, has a rate for features that are almost 0, and counts as R_abs-P_A here.
    """
    if place.pool in ("max", "max_overlap"):
        return 0.005  # N-P_M
    if place.normalise == "none" or (place.rectify == "none" and place.pool != "l2"):
        return 0.2  # R_abs-P_A, N-P_A
    return USUAL_RATE  # R_abs-N-P_A


def files(grid: Grid, folder: Path) -> dict[Path, str]:
    """Generate the YAML of every later part that a folder of experiments has."""
    ranking = ranked(grid)
    every = {folder / f"{part.name}.yaml": part for part in PARTS}
    return {file: text(part, ranking) for file, part in every.items() if file.exists()}


def text(part: Part, ranking: Sequence[Place]) -> str:
    """Generate the YAML of a part."""
    state = (
        f"Ranked by accuracy on draw {CHOOSING}."
        if ranking
        else "The best cells are filled in once the first part is published."
    )
    lines = [
        f"# {part.says}",
        f"# python train.py experiment={part.name}",
        f"# {part.takes}",
        f"# {state} Generated by python scripts/report.py; rule: src/audit/grid/choice.py.",
        f"# Figures: results/{FOLDER}/README.md.",
        *([f"name: {part.folder}"] if part.folder else []),
        "grids:",
    ]
    for number, (place, own) in enumerate(part.places(ranking)):
        preset = PRESETS.get(place)
        settings = {**({"model": preset} if preset else place.typed), **own}
        if number == 0:
            lines.append("  - &part")
            lines += [f"    {key}: {_value(value)}" for key, value in {**part.common, **settings}.items()]
        else:
            lines.append(
                f"  - {{<<: *part, {', '.join(f'{key}: {_value(value)}' for key, value in settings.items())}}}"
            )
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
