"""Words and what was found become a section, or are refused."""

import pytest
import torch

from audit.lecture.section import Found, Table, estimate, join
from multistage.records.cells import Difference
from multistage.records.intervals import Measured

WORDS = {
    "title": "A title",
    "text": "{error:.1f} of {count} by {gain:+.1f} and {gain_half:.1f}.",
    "figures": {
        "error": "errors of {count} images [%]",
        "gain": "a gain [points]",
        "gain_half": None,
        "count": "images",
    },
    "pictures": {"one": "By `{run}`, {count} images."},
    "tables": {"rows": "Of {count}."},
}
FOUND = Found(
    {"error": torch.tensor([1.0, 3.0]), "gain": Measured(2.0, "", interval=(1.5, 2.5), n=7), "count": 40},
    pictures={"one": b"png"},
    tables={"rows": Table(["a"], [["b"]])},
    names={"run": "some/run"},
)


def test_figures_get_their_words_in_the_order_of_these():
    section = join("lecture-04", WORDS, FOUND)
    assert list(section.measured) == ["error", "gain", "gain_half", "count"]
    error, gain, half, count = section.measured.values()
    assert (error.value, error.what, error.unit, error.n) == (2.0, "errors of 40 images", "%", 2)
    assert error.interval is not None
    assert gain == Measured(2.0, "a gain", "points", (1.5, 2.5), 7)
    assert half == Measured(0.5, "half of the interval of: a gain", "points")
    assert count == Measured(40, "images")
    assert (
        section.fill(section.text)
        == "2.0\N{NO-BREAK SPACE}% of 40 by +2.0\N{NO-BREAK SPACE}points and 0.5\N{NO-BREAK SPACE}points."
    )
    (picture,), (table,) = section.pictures, section.tables
    assert (picture.name, picture.png, picture.caption) == ("lecture-04-one", b"png", "By `some/run`, {count} images.")
    assert (table.heads, table.caption) == (["a"], "Of {count}.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"figures": {**WORDS["figures"], "more": "x"}}, "figures and their words differ in more"),
        ({"figures": {"error": "x", "gain": "y"}}, "figures and their words differ in count"),
        ({"pictures": {}}, "pictures and their words differ in one"),
        ({"tables": {"rows": "x", "other": "y"}}, "tables and their words differ in other"),
        ({"text": "Of 40."}, "'40.' is typed into"),
    ],
)
def test_words_without_figures_and_figures_without_words_are_refused(words, said):
    with pytest.raises(ValueError, match=said):
        join("lecture-04", WORDS | words, FOUND)


def test_a_paired_difference_is_a_figure():
    difference = Difference(2.0, 1.4, (1.5, 2.5), 7)
    assert estimate(difference) == Measured(2.0, "", interval=(1.5, 2.5), n=7)
