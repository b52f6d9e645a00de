"""What axe-core finds on every page, in a real browser. Run with -m browser."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.browser

RESULTS = Path(__file__).parents[2] / "results"
PAGES = sorted(str(file.relative_to(RESULTS)) for file in [*RESULTS.glob("*.html"), *RESULTS.glob("*/index.html")])
GRAVE = ("serious", "critical")


def violations(tab):
    """Rules that elements break, with the first of these elements; axe-core's names."""
    found = Axe().run(tab).response["violations"]
    return [(each["id"], each["impact"], each["nodes"][0]["html"][:120]) for each in found]


OPEN = """document.querySelectorAll(".claims details, .set:nth-of-type(-n+3)").forEach((box) => (box.open = true));
[...document.querySelectorAll("button.cell")].slice(0, 3).forEach((button) => button.click());"""
"""Claims, some sets of runs and some cells: all of a kind are alike, and all of a page take minutes."""


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1440, "light")])
@pytest.mark.parametrize("page", PAGES)
def test_nothing_serious_is_found_closed_or_opened(look, page, width, scheme):
    tab = look(RESULTS / page, width=width, scheme=scheme)
    assert [each for each in violations(tab) if each[1] in GRAVE] == []
    tab.evaluate(OPEN)
    assert [each for each in violations(tab) if each[1] in GRAVE] == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_share_a_header_that_leads_to_all(look, page):
    tab = look(RESULTS / page)
    links = tab.locator("header.site nav a")
    assert links.all_inner_texts() == ["Results", "Grid", "Explorer", "Lecture"]
    assert [Path(link.evaluate("link => new URL(link.href).pathname")).exists() for link in links.all()] == [True] * 4
    assert tab.locator("header.site [aria-current=page]").count() == 1
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"


def test_a_fault_is_found(look, tmp_path):
    """As a page whose picture has no text and whose words are too faint."""
    file = tmp_path / "faulty.html"
    body = '<main><h1 style="color: #bbb; background: #fff">Faint</h1><img src="data:image/gif;base64,"></main>'
    file.write_text(f'<!doctype html><html lang="en"><title>faulty</title>{body}</html>', encoding="utf-8")
    assert {name for name, impact, _ in violations(look(file)) if impact in GRAVE} >= {"color-contrast", "image-alt"}
