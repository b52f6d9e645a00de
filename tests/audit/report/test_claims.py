"""Reading a ledger: what its words make, and that none is taken for another."""

from pathlib import Path

import pytest
import yaml

from audit.claims import claims
from multistage.registry.errors import MultistageError

CELL, OTHER = "table1 | RR, sgd | P_A", "table1 | RR, sgd | N-P_A"
GOOD = {"says": "x", "cell": CELL, "minus": OTHER, "above": 0}


@pytest.fixture
def read(tmp_path):
    """Read a ledger whose only claim has these tests, or that is given as a whole."""

    def read(*tests, **changes):
        given = {"id": "paper-01", "claim": "c", "evidence": "e", "tests": list(tests or [GOOD]), **changes}
        return whole({"claims": [{word: value for word, value in given.items() if value is not None}]})

    def whole(content):
        path = tmp_path / "claims.yaml"
        path.write_text(
            content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False), encoding="utf-8"
        )
        return claims.read(path)

    read.whole = whole
    return read


def test_a_test_is_read_word_by_word(read):
    (claim,) = read({**GOOD, "alone": 3}, limits="l")
    assert (claim.id, claim.claim, claim.evidence, claim.limits, claim.stand_in) == ("paper-01", "c", "e", "l", "")
    (test,) = claim.tests
    assert test.effect == claims.Effect(("table1", "RR, sgd", "P_A"), ("table1", "RR, sgd", "N-P_A"))
    assert (test.relation, test.bound, test.of, test.alone, test.beyond, test.measured) == ("above", 0, 0, 3, None, ())
    assert test.addresses == [("table1", "RR, sgd", "P_A"), ("table1", "RR, sgd", "N-P_A")]


def test_each_makes_a_test_of_every_combination(read):
    words = {"says": "{readout}", "cell": "table1 | RR, {readout} | {pair[0]}", "minus": "table1 | R | {pair[1]}"}
    (claim,) = read({**words, "each": {"readout": ["sgd", "lbfgs"], "pair": [["a", "b"], ["c", "d"]]}, "below": 0})
    assert [(test.says, test.effect.cell[1:], test.effect.minus[2]) for test in claim.tests] == [
        ("sgd", ("RR, sgd", "a"), "b"),
        ("sgd", ("RR, sgd", "c"), "d"),
        ("lbfgs", ("RR, lbfgs", "a"), "b"),
        ("lbfgs", ("RR, lbfgs", "c"), "d"),
    ]


def test_beyond_makes_a_test_against_every_other_effect(read):
    (claim,) = read({**GOOD, "beyond": [{"cell": OTHER, "minus": CELL}, {"cell": CELL, "minus": CELL}]})
    assert [test.beyond.cell[2] for test in claim.tests] == ["N-P_A", "P_A"]
    assert {test.effect.cell[2] for test in claim.tests} == {"P_A"}


def test_numbers_of_the_lecture_are_named_alone_or_in_pairs(read):
    (claim,) = read(
        {"says": "x", "measured": "a", "within": 1, "of": 2}, {"says": "x", "measured": ["a", "b"], "above": 0}
    )
    assert [test.measured for test in claim.tests] == [("a",), ("a", "b")]
    assert [test.addresses for test in claim.tests] == [[], []]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"abov": 1}, "unknown word 'abov'; expected above"),
        ({"above": None}, "above cannot be None"),
        ({"above": True}, "above cannot be True"),
        ({"above": "some"}, "above must be a number, or, for two cells, half; not 'some'"),
        ({"below": 1}, "expected one of above, below, within, not above and below"),
        ({"cell": "table1 | RR, sgd"}, "is no address; expected FOLDER"),
        ({"cell": "table1 | | P_A"}, "is no address"),
        ({"cell": 3}, "cell cannot be 3"),
        ({"measured": "error"}, "expected either cell or measured"),
        ({"of": 1}, "of belongs to within"),
        ({"alone": "3"}, "alone cannot be '3'"),
        ({"each": {"a": 3}}, "each must hold a list"),
        ({"cell": "table1 | {row} | P_A"}, "names what each does not have; it has nothing"),
        ({"beyond": [{"cell": OTHER}]}, "each needs cell and minus"),
        ({"beyond": [{"cel": OTHER}]}, "unknown word 'cel'; expected cell"),
        ({"beyond": ["x"]}, "expected a mapping of cell, minus"),
        ({"to_loss": 1, "beyond": [{"cell": OTHER, "minus": CELL}]}, "to_loss compares two cells"),
        ({"to_loss": 1, "above": "half"}, "above must be a number"),
        ({"to_loss": 1, "minus": "paper"}, "to_loss compares two cells"),
        ({"minus": "paper", "above": "half"}, "above must be a number"),
        ({"says": ""}, "says is missing"),
    ],
)
def test_what_is_no_test_is_refused_in_one_line(read, words, said):
    with pytest.raises(MultistageError) as caught:
        read(GOOD, {**GOOD, **words})
    assert said in str(caught.value)
    assert "claims.yaml, paper-01: test 2: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"measured": "a", "minus": OTHER}, "minus belongs to cell"),
        ({"measured": ["a", "b", "c"]}, "measured must be one name or two"),
        ({"measured": [1]}, "measured must be one name or two"),
        ({"measured": "a", "above": "half"}, "above must be a number"),
        ({"measured": "a", "beyond": [{"cell": CELL, "minus": OTHER}]}, "beyond compares two differences"),
        ({}, "expected either cell or measured"),
    ],
)
def test_what_is_no_test_of_a_measurement_is_refused(read, words, said):
    with pytest.raises(MultistageError, match=said):
        read({"says": "x", "above": 0, **words})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"claim": None}, "paper-01: claim is missing"),
        ({"tests": []}, "paper-01: tests is missing"),
        ({"test": []}, "paper-01: unknown word 'test'; expected tests"),
        ({"limits": 3}, "paper-01: limits cannot be 3"),
        ({"id": None}, "claim 1: id is missing"),
    ],
)
def test_what_is_no_claim_is_refused(read, changes, said):
    with pytest.raises(MultistageError, match=said):
        read(**changes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("claims: [", "is no yaml"),
        ("[]", "holds no claims"),
        ("claims: 3", "holds no claims"),
        ("claims: []\nclaim: []", "unknown word 'claim'; expected claims or lists"),
        ("claims: [3]", "claim 1: expected a mapping"),
    ],
)
def test_what_is_no_ledger_is_refused(read, content, said):
    with pytest.raises(MultistageError, match=said) as caught:
        read.whole(content)
    assert "\n" not in str(caught.value)


def test_an_id_that_is_there_twice_is_refused(read):
    claim = {"id": "paper-01", "claim": "c", "evidence": "e", "tests": [GOOD]}
    with pytest.raises(MultistageError, match="paper-01: this id is there twice"):
        read.whole({"claims": [claim, claim]})


def test_the_words_that_are_allowed_are_those_that_are_explained():
    explained = Path(claims.__file__).read_text(encoding="utf-8").split('"""')[1]
    for word in claims.WORDS_OF_TEST:
        assert word in explained
