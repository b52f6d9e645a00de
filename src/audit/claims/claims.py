"""Claims, and the tests that decide them; `ledger.CLAIMS` has all.

    claim("paper-02", "Random filters do badly without rectification.", "{{ table1('RR', N) }} %.",
          ask("what is lost without abs", above=HALF).of(table1("RR, sgd", BOTH) - table1("RR, sgd", N)))

Bounds. A claim of direction asks for more (or less) than 0; one of size for half of the paper's difference; one of
equality for two points to either side, half a point on digits, where errors are few. Where filters are frozen, both
classifiers are asked: sgd, the authors' own, and lbfgs, which has converged. Refined cells may have a single run; it
decides where it lies three points beyond the bound (alone=3), about twice what a draw moves such a figure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from audit.claims.quantities import Number, leaves
from audit.tables.addresses import Quantity, Wanted

HALF: Literal["half"] = "half"
"""As a bound: half of what the paper has for the same cells."""

Relation = Literal["above", "below", "within"]
Bound = float | Literal["half"]


@dataclass(frozen=True)
class Rule:
    """How a quantity must lie.

    Attributes:
        says: What it is about.
        relation: To the bound.
        bound: In the quantity's unit; "half": half of the paper's.
        around: What a bound of "within" is around.
        alone: Half the width of the interval that an exact number or a single run is given, and, over the root of two,
            two runs; None: it decides nothing.
    """

    says: str
    relation: Relation
    bound: Bound
    around: float = 0
    alone: float | None = None

    def of(self, *quantities: Quantity | np.ndarray) -> list["Test"]:
        """A test of each quantity, in the order of arrays' rows."""
        return [Test(**vars(self), quantity=each) for given in quantities for each in np.ravel(np.asarray(given))]


@dataclass(frozen=True, kw_only=True)
class Test(Rule):
    """A rule, and the quantity that it is asked of."""

    __test__ = False  # pytest takes the name for its own

    quantity: Quantity

    @property
    def cells(self) -> list[Wanted]:
        """The cells that it needs."""
        return [leaf for leaf in leaves(self.quantity) if isinstance(leaf, Wanted)]

    @property
    def numbers(self) -> list[str]:
        """The numbers of the lecture's page that it needs."""
        return [leaf.name for leaf in leaves(self.quantity) if isinstance(leaf, Number)]


@dataclass(frozen=True)
class Claim:
    """A claim and what decides it.

    Attributes:
        id: Such as paper-01, lecture-04, extra-02.
        claim: One sentence.
        evidence: What the paper, or the lecture, has for it; filled by `templates.PaperFigures`.
        tests: In their order.
        limits: What the tests leave out; "" if nothing.
        stand_in: What stands in for data that are not at hand; "" if nothing does.
    """

    id: str
    claim: str
    evidence: str
    tests: tuple[Test, ...]
    limits: str = ""
    stand_in: str = ""


def claim(id: str, says: str, evidence: str, *asked: Iterable[Test], limits: str = "", stand_in: str = "") -> Claim:
    """A claim with all tests that are asked."""
    return Claim(id, says, evidence, tuple(chain.from_iterable(asked)), limits, stand_in)


def ask(
    says: str,
    *,
    above: Bound | None = None,
    below: Bound | None = None,
    within: Bound | None = None,
    of: float = 0,
    alone: float | None = None,
) -> Rule:
    """A rule with one bound, the last one around `of`."""
    bounds: dict[Relation, Bound | None] = {"above": above, "below": below, "within": within}
    found = [(relation, bound) for relation, bound in bounds.items() if bound is not None]
    if len(found) != 1 or (of and within is None):
        raise TypeError(f"{says}: expected one of above, below and within, and of only with within")
    return Rule(says, *found[0], of, alone)
