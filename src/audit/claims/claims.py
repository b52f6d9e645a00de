"""Claims and the tests that decide them; `ledger.CLAIMS` lists all claims.

    claim("paper-02", "Random filters do badly without rectification.", "{{ table1('RR', N) }} %.",
          ask("what is lost without abs", above=HALF).of(table1("RR, sgd", BOTH) - table1("RR, sgd", N)))

Bounds. A claim about direction is tested against 0, a claim about size against half of the paper's difference, and a
claim about equality against two points on either side (half a point on digits, where errors are few). With frozen
filters, both classifiers are tested: sgd, the authors' own, and lbfgs, which has converged. Fine-tuned cells may have a
single run; it decides if it is three points beyond the bound (alone=3), about twice the effect of a draw.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from audit.claims.quantities import Number, leaves
from audit.tables.addresses import Quantity, Wanted

HALF: Literal["half"] = "half"
"""As a bound: half of the paper's difference for the same cells."""

Relation = Literal["above", "below", "within"]
Bound = float | Literal["half"]


@dataclass(frozen=True)
class Rule:
    """Rule for a quantity.

    Attributes:
        says: Description of the quantity.
        relation: Relation of the quantity to the bound.
        bound: In the quantity's unit; "half": half of the paper's difference.
        around: Centre of a bound of "within".
        alone: Half width of the interval assigned to an exact number or a single run, and, divided by the root of two,
            to two runs; None: they decide nothing.
    """

    says: str
    relation: Relation
    bound: Bound
    around: float = 0
    alone: float | None = None

    def of(self, *quantities: Quantity | np.ndarray) -> list["Test"]:
        """Make a test of each quantity; arrays are read row by row."""
        return [Test(**vars(self), quantity=each) for given in quantities for each in np.ravel(np.asarray(given))]


@dataclass(frozen=True, kw_only=True)
class Test(Rule):
    """A rule and the quantity that it tests."""

    __test__ = False  # otherwise pytest would collect this class

    quantity: Quantity

    @property
    def cells(self) -> list[Wanted]:
        """Return the cells that it needs."""
        return [leaf for leaf in leaves(self.quantity) if isinstance(leaf, Wanted)]

    @property
    def numbers(self) -> list[str]:
        """Return the numbers of the lecture's page that it needs."""
        return [leaf.name for leaf in leaves(self.quantity) if isinstance(leaf, Number)]


@dataclass(frozen=True)
class Claim:
    """A claim and the tests that decide it.

    Attributes:
        id: Such as paper-01, lecture-04, extra-02.
        claim: One sentence.
        evidence: Evidence in the paper or the lecture; a template filled by `templates.PaperFigures`.
        tests: Tests in order.
        limits: What the tests do not cover; "" if nothing.
        stand_in: Data that replace data which are not available; "" if none.
    """

    id: str
    claim: str
    evidence: str
    tests: tuple[Test, ...]
    limits: str = ""
    stand_in: str = ""


def claim(id: str, says: str, evidence: str, *asked: Iterable[Test], limits: str = "", stand_in: str = "") -> Claim:
    """Make a claim with all its tests."""
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
    """Make a rule with one bound; "within" is around `of`."""
    bounds: dict[Relation, Bound | None] = {"above": above, "below": below, "within": within}
    found = [(relation, bound) for relation, bound in bounds.items() if bound is not None]
    if len(found) != 1 or (of and within is None):
        raise TypeError(f"{says}: expected one of above, below and within, and of only with within")
    return Rule(says, *found[0], of, alone)
