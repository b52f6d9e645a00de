"""``results/claims.yaml``: what the paper and the lecture claim, and the rules by which runs and measurements decide.

A claim holds one or more tests, each a mapping of these words:

    says       what it is about, one short phrase
    each       {word: [values]}: a test for every combination, in whose texts {word} stands for the value
    cell       FOLDER | ROW | COLUMN, a cell's address as in `addresses`: its accuracy in %
    minus      another address: the paired difference; ``paper``: less the paper's figure for the cell
    beyond     [{cell, minus}, ...]: a test for each, the paired difference of the two differences
    to_loss    nats: instead of accuracy, epochs until the training loss falls to this; a run that never gets there
               counts as one epoch more than it has, a pair of such runs not at all
    measured   instead of a cell, a number of ``results/lecture/measured.json`` by its name below the claim's id, or
               two: the first less the second
    above, below, within
               the bound, one of them; ``half`` stands for half of what the paper has for the same cells; `within` is
               the distance from `of` (0 if absent) that is too small to matter
    alone      half the width that stands for the interval of an exact number or a single run; of two runs, over root 2

`verdicts` applies them, `ledger` puts them into words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any, Literal

import yaml

from audit.tables.addresses import Address
from multistage.registry.errors import MultistageError, one_line

FILE = "claims.yaml"
PAPER, HALF = "paper", "half"
LISTS = "lists"
"""What claims refer to by yaml's anchors; not read by itself."""


WORDS_OF_CLAIM = {"id": str, "claim": str, "evidence": str, "limits": str, "stand_in": str, "tests": list}
WORDS_OF_TEST = {
    **dict.fromkeys(("says", "cell", "minus"), str),
    "measured": (str, list),
    **dict.fromkeys(("to_loss", "within", "of", "alone"), (int, float)),
    **dict.fromkeys(("above", "below"), (int, float, str)),
    "each": dict,
    "beyond": list,
}
NEEDED = {"claim": ("id", "claim", "evidence", "tests"), "test": ("says",)}

Relation = Literal["above", "below", "within"]
BOUNDS: tuple[Relation, ...] = ("above", "below", "within")


class RefusedError(Exception):
    """What is wrong with a claim; `read` says in which."""


@dataclass(frozen=True)
class Effect:
    """The accuracy of `cell`, what it has more than that of `minus`, or than the paper's figure for it."""

    cell: Address
    minus: Address | None = None
    less_paper: bool = False

    @property
    def addresses(self) -> list[Address]:
        """The cells that it is made of."""
        return [self.cell] if self.minus is None else [self.cell, self.minus]


@dataclass(frozen=True)
class Test:
    """One quantity and its bound.

    Attributes:
        says: What it is about.
        effect: What is estimated from runs; None where `measured` names it instead.
        beyond: Another effect, which is subtracted.
        to_loss: Nats; the quantity is epochs until the training loss is no higher, rather than accuracy.
        measured: Names of numbers below the claim's id, the second to be subtracted from the first; empty for runs.
        relation: How the quantity must lie to the bound.
        bound: In the quantity's unit; "half": half of the paper's.
        of: What a bound of "within" is around.
        alone: Half the width of the interval that an exact number or a single run is given; None: it decides nothing.
    """

    __test__ = False  # pytest takes the name for its own

    says: str
    effect: Effect | None
    beyond: Effect | None
    to_loss: float | None
    measured: tuple[str, ...]
    relation: Relation
    bound: float | Literal["half"]
    of: float
    alone: float | None

    @property
    def addresses(self) -> list[Address]:
        """The cells that it needs."""
        return [address for effect in (self.effect, self.beyond) if effect for address in effect.addresses]


@dataclass(frozen=True)
class Claim:
    """A claim and what decides it.

    Attributes:
        id: Such as paper-01, lecture-04, extra-02.
        claim: One sentence.
        evidence: What the paper, or the lecture, has for it; figures stand as ``[[ROW | COLUMN]]``.
        limits: What the tests leave out; "" if nothing.
        stand_in: What stands in for data that are not at hand; "" if nothing does.
        tests: In the order of the file.
    """

    id: str
    claim: str
    evidence: str
    limits: str
    stand_in: str
    tests: tuple[Test, ...]


def read(path: Path) -> list[Claim]:
    """Every claim of a ledger, in its order.

    Raises:
        MultistageError: One line that names file, claim, test and word.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise MultistageError(f"{path} is no yaml: {one_line(error)}") from None
    if not isinstance(content, dict) or not isinstance(content.get("claims"), list):
        raise MultistageError(f"{path} holds no claims; expected 'claims:' and below it '- id: ...' for each")
    if strange := content.keys() - {"claims", LISTS}:
        raise MultistageError(f"{path}: unknown word {min(strange, key=str)!r}; expected claims or {LISTS}")
    claims: dict[str, Claim] = {}
    for number, given in enumerate(content["claims"], 1):
        name = given.get("id", f"claim {number}") if isinstance(given, dict) else f"claim {number}"
        try:
            _check(given, WORDS_OF_CLAIM, NEEDED["claim"])
            if name in claims:
                raise RefusedError("this id is there twice")
            texts = {word: given.get(word, "") for word in WORDS_OF_CLAIM if word != "tests"}
            claims[name] = Claim(**texts, tests=tuple(_tests(given["tests"])))
        except RefusedError as error:
            raise MultistageError(f"{path}, {name}: {error}") from None
    return list(claims.values())


def _tests(given: Sequence[Any]) -> Iterator[Test]:
    for number, words in enumerate(given, 1):
        try:
            _check(words, WORDS_OF_TEST, NEEDED["test"])
            for one in _expanded(words):
                yield _test(one)
        except RefusedError as error:
            raise RefusedError(f"test {number}: {error}") from None


def _expanded(words: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A test for every combination of what `each` names, and for every effect of `beyond`."""
    each = words.get("each", {})
    if not all(isinstance(values, list) for values in each.values()):
        raise RefusedError("each must hold a list for every word")
    for values in product(*each.values()):
        here = dict(zip(each, values, strict=True))
        filled = {word: _filled(value, here) for word, value in words.items() if word != "each"}
        for beyond in filled.get("beyond", [None]):
            yield {**filled, "beyond": beyond}


def _filled(value: Any, here: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, here) for item in value]
    if isinstance(value, dict):
        return {word: _filled(item, here) for word, item in value.items()}
    try:
        return value.format_map(here) if isinstance(value, str) else value
    except (KeyError, ValueError, IndexError):
        raise RefusedError(f"{value!r} names what each does not have; it has {', '.join(here) or 'nothing'}") from None


def _test(words: Mapping[str, Any]) -> Test:
    relations: list[Relation] = [word for word in BOUNDS if word in words]
    if len(relations) != 1:
        raise RefusedError(f"expected one of {', '.join(BOUNDS)}, not {' and '.join(relations) or 'none'}")
    names = words.get("measured", [])
    names = (names,) if isinstance(names, str) else tuple(names)
    if ("cell" in words) == ("measured" in words):
        raise RefusedError("expected either cell or measured")
    if "measured" in words and not (len(names) in (1, 2) and all(isinstance(name, str) for name in names)):
        raise RefusedError(f"measured must be one name or two, not {words['measured']!r}")
    effect = _effect({word: words[word] for word in ("cell", "minus") if word in words}) if "cell" in words else None
    beyond = None if words["beyond"] is None else _effect(words["beyond"])
    two_cells = effect is not None and effect.minus is not None
    if effect is None and "minus" in words:
        raise RefusedError("minus belongs to cell")
    if beyond is not None and not (two_cells and beyond.minus):
        raise RefusedError("beyond compares two differences; each needs cell and minus")
    if "to_loss" in words and (not two_cells or beyond is not None):
        raise RefusedError("to_loss compares two cells; expected cell and minus, and no beyond")
    (relation,) = relations
    bound = words[relation]
    if isinstance(bound, str) and (bound != HALF or not two_cells or "to_loss" in words):
        raise RefusedError(f"{relation} must be a number, or, for two cells, {HALF}; not {bound!r}")
    if "of" in words and relation != "within":
        raise RefusedError("of belongs to within")
    return Test(
        words["says"],
        effect,
        beyond,
        words.get("to_loss"),
        names,
        relation,
        bound,
        words.get("of", 0),
        words.get("alone"),
    )


def _effect(words: Any) -> Effect:
    _check(words, {"cell": str, "minus": str}, ("cell",))
    cell, minus = _address(words["cell"]), words.get("minus")
    return Effect(cell, less_paper=True) if minus == PAPER else Effect(cell, minus and _address(minus))


def _address(text: str) -> Address:
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != 3 or not all(parts):
        raise RefusedError(f"{text!r} is no address; expected FOLDER | ROW | COLUMN")
    return parts[0], parts[1], parts[2]


def _check(words: Any, allowed: Mapping[str, Any], needed: Sequence[str]) -> None:
    """Refuse words that are unknown, missing, or hold the wrong kind of thing."""
    if not isinstance(words, dict):
        raise RefusedError(f"expected a mapping of {', '.join(allowed)}")
    for word, value in words.items():
        if word not in allowed:
            similar = get_close_matches(str(word), allowed, n=2)
            raise RefusedError(
                f"unknown word {word!r}; expected {', '.join(similar) or 'one of ' + ', '.join(allowed)}"
            )
        if not isinstance(value, allowed[word]) or isinstance(value, bool):
            raise RefusedError(f"{word} cannot be {value!r}")
    if missing := [word for word in needed if not words.get(word)]:
        raise RefusedError(f"{', '.join(missing)} is missing")
