"""Short sentences, a short README, links that lead somewhere, and no figure that was typed by hand."""

import re

import pytest
import yaml
from texts.pages import MADE, PAGES, ROOT, anchors, paragraphs, sentences, words

LONGEST = 35
"""Words of a sentence."""

README_WORDS = 1100

FIGURE = re.compile(r"\d[\d.,]*\s?(?:%|points?\b|minutes?\b)|\d x(?! \d)|± ?\d")
LEVELS = {"95 %", "100 %"}
"""Of confidence, and all: no results."""

LINKED = [*PAGES, *(file.relative_to(ROOT).as_posix() for file in sorted(ROOT.glob("results/*/README.md")))]


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_is_long(page):
    found = [sentence for paragraph in paragraphs(PAGES[page]) for sentence in sentences(paragraph)]
    assert [each for each in found if len(re.findall(r"[^\s]*\w[^\s]*", each)) > LONGEST] == []


def test_the_readme_is_short():
    assert len(PAGES["README.md"].split()) <= README_WORDS


@pytest.mark.parametrize("page", [page for page in PAGES if page == "README.md" or page.startswith("docs/")])
def test_figures_are_filled_in_by_code(page):
    assert {*FIGURE.findall(words(MADE.sub("", PAGES[page])))} <= LEVELS


def test_what_a_figure_is():
    text = "It has 74.6 %, 1 point, 8.4 minutes, 2 x, ± 3; a window of 9 x 9, 100 images and `0.5 %`."
    assert FIGURE.findall(words(text)) == ["74.6 %", "1 point", "8.4 minutes", "2 x", "± 3"]


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(page):
    folder, text = (ROOT / page).parent, (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        file = folder / path if path else ROOT / page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def test_every_page_of_the_documentation_has_its_place():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    placed = re.findall(r"[\w-]+\.md", str(nav))
    assert sorted(placed) == sorted(page.removeprefix("docs/") for page in PAGES if page.startswith("docs/"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "One. Two is `a.b. C` here.\n\n- Three [four](x.md). Five.",
            ["One.", "Two is code here.", "- Three four.", "Five."],
        ),
        ("| a. B | c |\n| --- | --- |", ["a.", "B", "c"]),
        ("```bash\nx. Y\n```\n\n<!-- {{ f() }} -->1. A<!-- end --> Six (7.5).", ["1.", "A Six (7.5)."]),
    ],
)
def test_what_a_sentence_is(text, expected):
    assert [each for paragraph in paragraphs(text) for each in sentences(paragraph)] == expected
