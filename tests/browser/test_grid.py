"""The page of the grid in a real browser, by keyboard, narrow and wide. Run with -m browser."""

import pytest
from browser.colour import contrast
from grid import runs

from audit.grid.page import Page
from audit.grid.places import BEST_OF_PAPER

pytestmark = pytest.mark.browser

BEST = BEST_OF_PAPER.address


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    root = tmp_path_factory.mktemp("grid")
    ((path, text),) = Page(runs.published(root, **runs.every())).documents().items()
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


def shown(tab):
    return tab.locator("article.place:visible").evaluate_all("all => all.map(each => each.id)")


def test_a_link_selects_a_cell_and_a_click_another(file, look):
    tab = look(file, f"#{BEST}")
    assert shown(tab) == [f"runs-{BEST}"]
    tab.locator("#none-none-max").click()
    assert shown(tab) == ["runs-none-none-max"]
    tab.locator("#none-none-max").click()
    assert shown(tab) == []


def test_a_cell_that_equals_another_shows_its_runs(file, look):
    tab = look(file)
    tab.locator("#abs-none-l2").click()
    assert shown(tab) == ["runs-none-none-l2"]
    tab.locator("#none-none-l2").click()
    assert shown(tab) == ["runs-none-none-l2"]


def test_the_map_is_one_stop_and_arrows_move_in_it(file, look):
    tab = look(file, f"#{BEST}")
    assert tab.locator(".heat button[tabindex='0']").count() == 1
    focused = "document.activeElement.id"
    for key, wanted in (
        ("ArrowRight", "abs-lcn_within-average"),
        ("ArrowDown", "abs-lcn_within-max"),
        ("ArrowLeft", "abs-lcn-max"),
        ("ArrowUp", BEST),
        ("ArrowUp", "none-lcn-l2"),
    ):
        tab.keyboard.press(key)
        assert tab.evaluate(focused) == wanted
    tab.keyboard.press("Enter")
    assert shown(tab) == ["runs-none-lcn-l2"]
    assert tab.locator(".heat button[tabindex='0']").count() == 1


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_it_fits(file, look, width):
    tab = look(file, f"#{BEST}", width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert (
        tab.evaluate("(map => map.scrollWidth - map.clientWidth)(document.querySelector('.heat').parentElement)") <= 0
    )
    height = tab.locator(f"#{BEST}").bounding_box()["height"]
    assert height >= 24


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_can_be_read_on_every_shade(file, look, scheme):
    """Ink on the shade of each figure, both as the browser draws them."""
    tab = look(file, scheme=scheme)
    pairs = tab.locator(".heat button").evaluate_all(
        """all => all.map((each) => {
          const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
          const {color, backgroundColor} = getComputedStyle(each);
          return [color, backgroundColor].map((colour) => {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
          });
        })"""
    )
    assert len(pairs) > 300
    assert min(contrast(*pair) for pair in pairs) >= 4.5
