"""Answer which multi-stage architecture is best: one paragraph, computed from records."""

from audit.grid.figures import Figures, change, span
from audit.grid.places import BEST_OF_PAPER, CHOOSING, DISTINCT, MEASURING, PAPER, RANDOM, Protocol
from audit.grid.variance import Share
from audit.tables.tables import signed
from audit.tables.words import count, listed

CHANGES = {
    "a third stage": Protocol(3),
    "learning filters without labels": Protocol(2, "psd"),
    "refinement": Protocol(2, "random", True),
}
"""Other protocols than that of the first part."""


def answer(figures: Figures) -> str:
    """Write the paragraph; it says which parts were not run.

    Args:
        figures: The grid's figures.
    """
    if not figures.order:
        left = len(figures.grid.missing)
        return f"No answer yet: {left} of {len(DISTINCT)} cells of the first part are missing."
    changes = {what: _change(figures, after, what) for what, after in CHANGES.items()}
    unknown = [what for what, said in changes.items() if not said]
    not_run = f"Not run yet for more than the paper's five: {listed(unknown)}." if unknown else ""
    said = [_best(figures), _papers(figures), _matters(figures.shares), *changes.values(), not_run]
    return " ".join(filter(None, said))


def _best(figures: Figures) -> str:
    if not figures.ranking:
        place = figures.order[0]
        return (
            f"On draw {CHOOSING} alone, with random frozen filters, `{place.name}` is first with "
            f"{figures.grid.chosen_by(place):.1f} %; further draws are needed to tell which cells may be the best."
        )
    first, able = figures.ranking[0], [each for each in figures.ranking if each.may_be_best]
    said = (
        f"With random frozen filters and two stages, `{first.place.name}` is first with {first.mean:.1f} % on draws "
        f"{MEASURING[0]} to {MEASURING[-1]}."
    )
    if len(able) == 1:
        return f"{said} It is the best of {count(len(figures.ranking), 'cell')} (simultaneous 95 % confidence)."
    others = [f"`{each.place.name}`" for each in able[1:6]] + [f"{len(able) - 6} more"] * (len(able) > 6)
    return f"{said} Of {count(len(figures.ranking), 'cell')}, {listed(others)} may be as good."


def _papers(figures: Figures) -> str:
    """Give the rank of the paper's best architecture."""
    rank = figures.order.index(BEST_OF_PAPER) + 1
    said = f"The paper's {PAPER[BEST_OF_PAPER]} is number {rank} of {len(figures.order)} on draw {CHOOSING}"
    found = next((each for each in figures.ranking if each.place == BEST_OF_PAPER), None)
    if found is None or found == figures.ranking[0]:
        return f"{said}."
    low, high = found.against
    verdict = "and may be the best" if found.may_be_best else "and is not the best"
    return f"{said}, {verdict}: {signed(low)} to {signed(high)} points from the best of the others."


def _matters(shares: list[Share]) -> str:
    """List the factors that together explain more than half of the variance, largest first."""
    parts, explained = [], 0.0
    for share in sorted(shares, key=lambda share: -share.value):
        if explained > 0.5:
            break
        parts.append(f"{share.name} ({100 * share.value:.0f} %)")
        explained += share.value
    return f"More than half of the variance between cells is explained by {listed(parts)}." if parts else ""


def _change(figures: Figures, after: Protocol, what: str) -> str:
    """Say what another protocol changes; "" if at most the paper's five were run under it."""
    _, found = figures.changes(RANDOM, after)
    if PAPER.keys() >= {each.place for each in found}:
        return ""
    mean, each = signed(change(found, what)), " to ".join(map(signed, span(found)))
    return f"{what.capitalize()} changes {count(len(found), 'cell')} by {mean} points on average, each by {each}."
