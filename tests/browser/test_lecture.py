"""The lecture's page in a real browser. Run with -m browser."""

from pathlib import Path

import pytest
from lecture.invented import quick

from audit.lecture import publish, sections

pytestmark = pytest.mark.browser

COMMITTED = Path(__file__).parents[2] / "results" / "lecture" / publish.INDEX


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page of invented material."""
    folder = tmp_path_factory.mktemp("lecture")
    with quick(tmp_path_factory.mktemp("results")) as material:
        publish.write(folder, [sections.make(name, material) for name in sections.names()])
    return folder / publish.INDEX


@pytest.fixture(params=["committed", "invented"])
def file(request):
    return COMMITTED if request.param == "committed" else request.getfixturevalue("made")


def test_every_section_opens_with_its_pictures(look, file):
    tab = look(file)
    assert tab.title() == "multistage: the lecture, measured"
    assert tab.locator("main > section").count() == len(sections.names())
    for image in tab.locator("img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    assert "{" not in tab.locator("main").inner_text()


def test_the_contents_lead_to_every_section(look, file):
    tab = look(file)
    for link in tab.locator("nav[aria-label=Contents] a").all():
        link.click()
        assert tab.evaluate("document.querySelector(location.hash).getBoundingClientRect().top") < 800
    assert tab.locator("nav[aria-label=Contents] a").count() == len(sections.names())


def test_the_figures_of_a_section_open(look, file):
    tab = look(file)
    figures = tab.locator("details").first
    assert not figures.locator("dl").is_visible()
    figures.locator("summary").click()
    assert figures.locator("dl").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_scrolls_sideways(look, file, width, scheme):
    tab = look(file, width=width, scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    for image in tab.locator("img").all():
        box = image.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_print_in_pictures_is_large_enough_on_a_phone(look, file):
    """Nine points at 160 dots an inch, shrunk to the screen, are at least eight pixels high."""
    for image in look(file, width=360).locator("img").all():
        shrunk = image.evaluate("image => image.clientWidth / image.naturalWidth")
        assert 9 / 72 * 160 * shrunk >= 8
