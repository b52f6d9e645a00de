"""Claims that the grid decides: which rectification, normalisation, pooling, and how many stages.

Rules were written before the runs. Most cells of the grid have one run, of draw 0. So the difference of two operations
is averaged over all pairs of cells that differ only in them, and the interval is over these pairs.
"""

from collections.abc import Iterable

from audit.claims.cells import table1
from audit.claims.claims import ask, claim
from audit.claims.quantities import Over
from audit.grid.choice import ONE_STEP, USUAL_RATE, rate
from audit.grid.places import BEST_OF_PAPER, EQUAL, NORMALISATIONS, POOLINGS, PRESETS, RECTIFICATIONS, Place
from audit.tables.addresses import BOTH, Folder, Quantity, Wanted

FROZEN, REFINED = "RR, lbfgs", "R+R+"
TWO_STAGES = {FROZEN: Folder("grid"), REFINED: Folder("grid_refined")}
THREE_STAGES = {"RRR, lbfgs": Folder("grid_stages"), "UUU, lbfgs": Folder("grid_psd")}
"""Folders of results, by row; with two stages, runs of the paper's five are in table1."""

TODAY = ("groupnorm", "layernorm", "rmsnorm", "batchnorm")
EVERYWHERE = [(rectify, pool) for rectify in RECTIFICATIONS for pool in POOLINGS]


def at(place: Place, row: str = FROZEN) -> Wanted:
    """Name a cell of the grid; with three stages, one of the paper's five."""
    if place in PRESETS:
        return THREE_STAGES.get(row, table1)(row, PRESETS[place])
    usual = BEST_OF_PAPER.typed
    typed = EQUAL.get(place, place).typed
    further = {key.rpartition(".")[2]: value for key, value in typed.items() if value != usual.get(key)}
    unusual = {"lr": rate(place)} if row == REFINED and rate(place) != USUAL_RATE else {}
    return TWO_STAGES[row](row, BOTH, {**unusual, **further})


def over(pairs: Iterable[tuple[Place, Place]]) -> Quantity:
    """Return first minus second, mean over pairs; pairs of equal cells are left out."""
    return Over(tuple(at(one) - at(other) for one, other in pairs if at(one) != at(other)))


def normalised(one: str, other: str) -> Quantity:
    """Return one normalisation minus another, over all rectifications and poolings."""
    return over((Place(rectify, one, pool), Place(rectify, other, pool)) for rectify, pool in EVERYWHERE)


def pooled(rectify: str, other: str) -> Quantity:
    """Return L2 pooling minus another pooling, over all normalisations."""
    return over((Place(rectify, each, "l2"), Place(rectify, each, other)) for each in NORMALISATIONS)


def third(letter: str) -> tuple[Quantity, ...]:
    """Return three stages minus two, for each of the paper's five.

    Args:
        letter: Letter of the filters.
    """
    two, three = (f"{letter * stages}, lbfgs" for stages in (2, 3))
    return tuple(at(place, three) - at(place, two) for place in PRESETS)


CLAIMS = (
    claim(
        "extra-06",
        "The absolute value is the best rectification under every normalisation.",
        "The paper has it under none and under N, against no rectification; it calls the positive part similar.",
        *(
            ask(f"abs minus another rectification under {each}, over all poolings", above=0).of(
                *(
                    over((Place("abs", each, pool), Place(other, each, pool)) for pool in POOLINGS)
                    for other in RECTIFICATIONS
                    if other != "abs"
                )
            )
            for each in NORMALISATIONS
        ),
    ),
    claim(
        "extra-07",
        "Today's normalisations do for random filters what local contrast normalisation does.",
        "Ours to ask; group, layer, RMS and batch normalisation are younger than the paper.",
        ask(
            "this normalisation minus N, over all rectifications and poolings, not more than two points below", above=-2
        ).of(*(normalised(each, "lcn") for each in TODAY)),
        ask(
            "this normalisation minus N, after abs, average pooling, not more than two points below", above=-2, alone=3
        ).of(*(at(Place("abs", each, "average")) - at(BEST_OF_PAPER) for each in TODAY)),
    ),
    claim(
        "extra-08",
        "What local contrast normalisation does is a matter of space, not of maps.",
        "The paper normalises across maps and does not ask what each part of it brings.",
        ask("N within each map minus N across maps, not more than two points below", above=-2).of(
            normalised("lcn_within", "lcn")
        ),
        ask("over space alone (instance) minus over maps alone (RMS, layer)", above=0).of(
            normalised("instancenorm", "rmsnorm"), normalised("instancenorm", "layernorm")
        ),
    ),
    claim(
        "extra-09",
        "Divisive normalisation with a fixed floor does what local contrast normalisation does.",
        "Ours to ask; Ren et al. learn its floor and weights, which frozen networks leave as they begin.",
        ask("divisive minus N, over all rectifications and poolings", within=2).of(normalised("divisive", "lcn")),
    ),
    claim(
        "extra-10",
        "L2 pooling closes the gap between average and max pooling: it is as good as the better one.",
        "Ours to ask; the authors used it later (Sermanet, Chintala & LeCun 2012).",
        *(
            ask(
                f"L2 minus {other}, same windows, over all normalisations, not more than two points below", above=-2
            ).of(*(pooled(rectify, other) for rectify in RECTIFICATIONS))
            for other in ("average", "max_overlap")
        ),
    ),
    claim(
        "extra-11",
        "A third stage helps, with random filters and with learned ones.",
        "The paper has one and two stages.",
        ask("three stages minus two, over the paper's five", above=0).of(*(Over(third(row)) for row in ("R", "U"))),
        ask("three stages minus two", above=0, alone=3).of(*third("R"), *third("U")),
        limits="The third stage is small (512 maps of 2x2), as the maps of the second leave no room for more.",
    ),
    claim(
        "extra-12",
        "With random frozen filters no single other operation is better than that of R_abs-N-P_A.",
        "The paper's best, asked of operations that it does not have.",
        ask("R_abs-N-P_A minus itself with one other operation", above=0, alone=3).of(
            *(at(BEST_OF_PAPER) - at(place) for place in ONE_STEP)
        ),
        limits="These eight were fixed before the first run. Other single changes, such as to the square, were run on "
        "draw 0, and the best of them on five draws: results/grid/README.md ranks them.",
    ),
    claim(
        "extra-13",
        "The same holds once everything is refined.",
        "The same operations as extra-12, trained with labels.",
        ask("refined, R_abs-N-P_A minus itself with one other operation", above=0, alone=3).of(
            *(at(BEST_OF_PAPER, REFINED) - at(place, REFINED) for place in ONE_STEP)
        ),
        limits="Highest rates of refined cells are those of the column of Table 1 which is most like each, untried.",
    ),
)
