"""Words and what was found become a section, or are refused."""

import pytest
import torch

from audit.lecture import Found, Table
from audit.lecture.section import Section, filled, typed_numbers
from multistage.records.intervals import Measured
from multistage.registry.errors import MultistageError

WORDS = {
    "title": "A title",
    "text": "{error:.1f} of {count} by {gain:+.1f} and {gain.half:.1f}.",
    "figures": {
        "error": "errors of {count} images [%]",
        "gain": "a gain [points]",
        "pair": "a paired difference",
        "count": "images",
    },
    "pictures": {"one": "By `{run}`, {count} images."},
    "tables": {"rows": "Of {count}."},
}
FOUND = Found(
    {
        "error": torch.tensor([1.0, 3.0]),
        "gain": Measured(2.0, "", interval=(1.5, 2.5), n=7),
        "pair": Measured(2.0, "", "points", (1.5, 2.5), 7),
        "count": 40,
    },
    pictures={"one": b"png"},
    tables={"rows": Table(["a"], [["b"]])},
    names={"run": "some/run"},
)


def test_figures_get_their_words_in_the_order_of_these():
    section = Section("lecture-04", WORDS, FOUND)
    assert list(section.measured) == list(WORDS["figures"])
    error, gain, pair, count = section.measured.values()
    assert (error.value, error.what, error.unit, error.n) == (2.0, "errors of 40 images", "%", 2)
    assert error.interval is not None
    assert gain == Measured(2.0, "a gain", "points", (1.5, 2.5), 7)
    assert pair == Measured(2.0, "a paired difference", interval=(1.5, 2.5), n=7)
    assert count == Measured(40, "images")
    assert list(map(section.fill, section.texts)) == [
        "A title",
        "2.0\N{NO-BREAK SPACE}% of 40 by +2.0\N{NO-BREAK SPACE}points and 0.5\N{NO-BREAK SPACE}points.",
        "By `some/run`, 40 images.",
        "Of 40.",
    ]
    assert section.pictures == {"lecture-04-one.png": b"png"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"figures": {**WORDS["figures"], "more": "x"}}, "figures and their words differ in more"),
        ({"figures": {"error": "x", "gain": "y"}}, "figures and their words differ in count, pair"),
        ({"pictures": {}}, "pictures and their words differ in one"),
        ({"tables": {"rows": "x", "other": "y"}}, "tables and their words differ in other"),
        ({"text": "Of 40."}, "'40.' is typed into"),
        ({"tables": {"rows": "Of 3 images."}}, "'3' is typed into"),
    ],
)
def test_words_without_figures_and_figures_without_words_are_refused(words, said):
    with pytest.raises(MultistageError, match=said):
        Section("lecture-04", WORDS | words, FOUND)


@pytest.mark.parametrize("text", ["It is 0.3.", "For 40 images.", "{error} of 12", "5 %", "-3", "v 2"])
def test_a_number_that_was_typed_is_found(text):
    assert typed_numbers(text)


@pytest.mark.parametrize(
    "text", ["{error:.3f} and {images}", "windows of 10x10", "`sigm(0.02 x * k - 4)`", "Caltech-101", "in float64"]
)
def test_definitions_sizes_and_names_may_have_digits(text):
    assert typed_numbers(text) == []


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (-0.001, ".2f", "0.00"),
        (-0.02, ".2f", "\N{MINUS SIGN}0.02"),
        (0.02, "+.2f", "+0.02"),
        (-0.02, "+.2f", "\N{MINUS SIGN}0.02"),
        (-0.001, "+.2f", "+0.00"),
        (1_600_000_000, ",", "1,600,000,000"),
        (2.5e-7, ".1g", "2e-07"),
        (0.0, ".1g", "0"),
    ],
)
def test_figures_are_shown_as_people_write_them(value, form, shown):
    assert filled(f"{{it:{form}}}", {"it": Measured(value, "it")}) == shown


@pytest.mark.parametrize(
    ("rows", "right"),
    [([["a", 1000], ["b", "-2"], ["c", "+1.0 ± 0.3"]], [False, True]), ([["a", "1"], ["b", "<2"]], [False, False])],
)
def test_numbers_stand_on_the_right_and_words_on_the_left(rows, right):
    assert Table(["name", "n"], rows).right == right


def test_numbers_of_a_table_are_written_in_its_form():
    assert Table(["name", "n"], [("a", 1234)]).texts == [["a", "1,234"]]
    assert Table(["name", "n"], [("a", 0.256)], ".2f").texts == [["a", "0.26"]]
