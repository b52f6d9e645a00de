"""What a visitor of the explorer does, in a real browser. Run with -m browser."""

import numpy as np
import pytest
from browser.colour import contrast, luminance
from browser.explorer import DIGITS, FILE, MODELS, PHOTOGRAPHS, RECORDS, choose, middle, pixels, probabilities, seen
from PIL import Image

from audit.explorer import digits, sets

pytestmark = pytest.mark.browser


def test_every_preset_can_be_chosen(look):
    tab = look(FILE)
    for select in ("model", "beside"):
        offered = tab.locator(f"#{select} option").evaluate_all("options => options.map(o => o.value)")
        assert sorted(filter(None, offered)) == MODELS
    for model in MODELS:
        tab.select_option("#model", model)
        assert probabilities(tab).sum() == pytest.approx(1)
        assert tab.locator("#verdicts code").inner_text() == model


def test_two_networks_stand_side_by_side_and_the_address_brings_them_back(look):
    tab = look(FILE)
    tab.select_option("#model", "abs_lcn_avgpool")
    tab.select_option("#beside", "avgpool")
    choose(tab, 3)
    assert probabilities(tab).shape == (2, 10)
    assert tab.locator("[data-step='0.rectify'] .side").all_inner_texts()[1].startswith("avgpool\n")
    assert "Not in this network" in tab.locator("[data-step='0.contrast_norm'] .absent").inner_text()
    assert tab.locator("[data-step='1.batch_norm']").is_hidden()
    assert "They differ in rectify (abs or none), normalise (lcn or none)." in tab.locator("#facts").inner_text()
    again = look(FILE, tab.evaluate("location.hash"))
    assert np.array_equal(probabilities(again), probabilities(tab))
    assert again.locator("#images input").nth(3).is_checked()
    tab.select_option("#beside", "")
    assert probabilities(tab).shape == (1, 10)
    assert tab.locator("[data-step='0.contrast_norm'] .side").count() == 1


def test_formulas_are_those_of_the_chosen_networks_and_small_maps_are_said_to_be_narrower_than_the_window(look):
    tab = look(FILE, "#set=mnist&model=abs_lcn_avgpool")
    formulas = "[data-step] .formula[data-kind]:visible"
    assert tab.locator(formulas).all_inner_texts() == ["abs: y = |x|", "y = mean of each square"] * 2
    assert [tab.locator(f"[data-step='{stage}.contrast_norm'] .wider").is_visible() for stage in (0, 1)] == [
        False,
        True,
    ]
    tab.select_option("#beside", "maxpool")
    pooled = tab.locator("[data-step='0.pool'] .formula:visible")
    pooled.nth(1).wait_for()
    assert pooled.count() == 2
    tab.goto(f"{FILE.as_uri()}#set=caltech101")
    until(tab, "!document.querySelector('[data-step] .wider:not([hidden])')")


@pytest.mark.parametrize(
    "fragment", ["#image=99&model=nothing", "#image=-1&set=letters", "#image=x&beside=%3Cb%3E", "#image=length", "#"]
)
def test_an_address_that_names_nothing_shows_the_first_digit(look, fragment):
    tab = look(FILE, fragment)
    assert tab.evaluate("state.image") == sets.FIRST
    assert probabilities(tab).shape == (1, 10)


def test_inverting_changes_nothing_where_the_absolute_value_is_taken(look):
    tab = look(FILE)
    for model, record in RECORDS.items():
        tab.select_option("#model", model)
        choose(tab, 7)
        choose(tab, 5)
        before = probabilities(tab)
        tab.click("#invert")
        after = probabilities(tab)
        assert tab.get_attribute("#invert", "aria-pressed") == "true"
        if record["config"]["model.rectify"] == "abs":
            assert after == pytest.approx(before, abs=1e-9)
        else:
            assert np.abs(after - before).max() > 1e-3
        tab.click("#invert")
        assert np.array_equal(probabilities(tab), before)


@pytest.mark.parametrize(("move", "shift"), [("left", (0, -1)), ("right", (0, 1)), ("up", (-1, 0)), ("down", (1, 0))])
def test_an_image_can_be_moved(look, move, shift):
    tab = look(FILE, "#image=2")
    for _ in range(3):
        tab.click(f"[data-move={move}]")
    around = np.pad(DIGITS[2], 3)
    top, left = (3 - 3 * by for by in shift)
    assert np.array_equal(seen(tab), around[top : top + digits.SIDE, left : left + digits.SIDE])
    for _ in range(30):
        tab.click(f"[data-move={move}]")
    assert not seen(tab).any()


def test_photographs_can_be_chosen_moved_and_opened(look, tmp_path):
    tab = look(FILE)
    tab.get_by_text("Photographs", exact=True).click()
    assert probabilities(tab).shape == (1, 102)
    assert tab.locator("#drawing").is_hidden()
    assert tab.locator("#beside").is_hidden()
    labels = tab.locator("#images input").evaluate_all("all => all.map(each => each.ariaLabel)")
    assert labels == list(PHOTOGRAPHS)
    choose(tab, 3)
    emu = PHOTOGRAPHS["emu"]
    assert np.array_equal(pixels(tab), emu)
    tab.click("[data-move=right]")
    tab.click("[data-move=up]")
    around = np.pad(emu, 1, mode="edge")
    assert np.array_equal(seen(tab), around[2:, :-2])
    again = look(FILE, tab.evaluate("location.hash"))
    assert np.array_equal(pixels(again), emu)
    assert again.locator("#sets input").nth(1).is_checked()
    Image.fromarray(np.dstack([emu] * 3)).resize((400, 800)).save(tmp_path / "photo.png")
    tab.set_input_files("#file", tmp_path / "photo.png")
    until(tab, "state.image === null")
    assert pixels(tab).shape == (151, 76)
    assert np.abs(pixels(tab).mean() - emu.mean()) < 2
    assert "(label)" not in tab.locator(".bars").inner_text()
    tab.go_back()
    until(tab, "state.set.name === 'mnist'")
    assert probabilities(tab).shape == (1, 10)
    assert tab.locator("#drawing").is_visible()


def draw(tab, points):
    box = tab.locator("#pad").bounding_box()
    to = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    tab.mouse.move(*to[0])
    tab.mouse.down()
    for point in to[1:]:
        tab.mouse.move(*point, steps=8)
    tab.mouse.up()


def check_centred(image):
    rows, columns = image.any(1).nonzero()[0], image.any(0).nonzero()[0]
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert all(14 <= centre <= 15 for centre in middle(image))
    assert image.max() > 200


def test_drawn_digits_are_centred_as_mnists_are_and_recognised(look):
    tab = look(FILE)
    tab.locator("#pad").scroll_into_view_if_needed()
    strokes = {1: [(0.3, 0.1), (0.26, 0.6)], 7: [(0.55, 0.5), (0.9, 0.5), (0.7, 0.95)], 0: None}
    strokes[0] = [(0.5 + 0.2 * np.sin(t), 0.4 - 0.3 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 20)]
    for digit, points in strokes.items():
        tab.click("#clear")
        assert not pixels(tab).any()
        draw(tab, points)
        check_centred(pixels(tab))
        votes = []
        for model in MODELS:
            tab.select_option("#model", model)
            votes.append(int(probabilities(tab)[0].argmax()))
        assert votes.count(digit) > len(MODELS) / 2, (digit, votes)
        assert tab.locator("#images input:checked").count() == 0
        assert "(label)" not in tab.locator(".bars").inner_text()


def test_one_can_draw_by_keyboard(look):
    tab = look(FILE)
    tab.focus("#pad")
    for key, times in (("ArrowUp", 9), (" ", 1), ("ArrowDown", 20), (" ", 1), ("ArrowLeft", 12)):
        for _ in range(times):
            tab.keyboard.press(key)
    image = pixels(tab)
    check_centred(image)
    assert np.ptp(image.any(0).nonzero()[0]) < 6  # what the lifted pen did left no trace
    assert tab.locator("#pen").is_visible()


def test_one_can_draw_with_a_finger(look):
    tab = look(FILE, width=360)
    assert (
        tab.locator("#pad").evaluate("pad => getComputedStyle(pad).touchAction") == "none"
    )  # or the page would scroll
    box = tab.locator("#pad").bounding_box()
    session = tab.context.new_cdp_session(tab)
    tab.evaluate("document.getElementById('pad').scrollIntoView({block: 'center'})")
    box = tab.locator("#pad").bounding_box()
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    x = box["x"] + box["width"] / 2
    for step in range(11):
        point = {"x": x, "y": box["y"] + box["height"] * (0.1 + 0.08 * step)}
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": [point]}
        )
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    check_centred(pixels(tab))


def test_centring_leaves_mnists_own_digits_where_they_are(look):
    """Those whose box has 20 pixels need no scaling: their centring is MNIST's own, or nothing would be equal."""
    tab = look(FILE)
    whole = 0
    for image in DIGITS[:20]:
        rows, columns = image.any(1).nonzero()[0], image.any(0).nonzero()[0]
        if max(np.ptp(rows), np.ptp(columns)) + 1 == 20:
            found = tab.evaluate(
                "values => [...centred({data: values, width: SIDE, height: SIDE}).pixels]", image.ravel().tolist()
            )
            assert np.array_equal(np.array(found).reshape(image.shape), image)
            whole += 1
    assert whole >= 12


def until(tab, expression):
    """Wait until it is true; `wait_for_function` would evaluate text in the page, which its policy forbids."""
    for _ in range(500):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(20)
    raise TimeoutError(expression)


def test_image_files_become_gray_and_light_on_dark(look, tmp_path):
    tab = look(FILE)
    Image.fromarray(DIGITS[4]).save(tmp_path / "small.png")
    tab.set_input_files("#file", tmp_path / "small.png")
    until(tab, "state.image === null")
    assert np.array_equal(pixels(tab), DIGITS[4])
    photo = np.full((300, 200, 3), (250, 240, 230), np.uint8)
    photo[50:250, 80:120] = (20, 40, 60)
    Image.fromarray(photo).save(tmp_path / "photo.jpg", quality=95)
    choose(tab, 0)
    tab.set_input_files("#file", tmp_path / "photo.jpg")
    until(tab, "state.image === null")
    image = pixels(tab)
    assert image[14, 14] > 200
    assert image[:, :4].max() == 0
    assert image[:3, 5:23].max() < 40
    assert int(probabilities(tab)[0].argmax()) == 1
    (tmp_path / "notes.png").write_text("no image")
    tab.set_input_files("#file", tmp_path / "notes.png")
    until(tab, "document.getElementById('message').textContent")
    assert tab.locator("#message").inner_text() == "notes.png is not an image that this browser can read."
    assert np.array_equal(pixels(tab), image)


def test_a_map_can_be_enlarged_with_its_kernels(look):
    tab = look(FILE, "#model=abs_lcn_avgpool")
    grid = tab.locator("[data-step='1.contrast_norm'] .grid")
    grid.locator("button").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "Enter"):
        tab.keyboard.press(key)
    title = tab.locator("#enlarged-title")
    assert title.inner_text() == "Stage 2, map 18 of 64"
    assert tab.locator(".chain figcaption").all_inner_texts()[0].startswith("Filter bank\n")
    assert tab.locator(".chain figure").count() == 4
    assert tab.locator(".pairs figure").count() == 16
    values = tab.evaluate("[...planeOf(passes[0].steps.at(-1).x, 17)]")
    low, high = tab.locator(".chain figure").last.locator("span").inner_text().replace("\u2212", "-").split(" to ")
    assert float(low) == pytest.approx(min(values), abs=0.006)
    assert float(high) == pytest.approx(max(values), abs=0.006)
    tab.keyboard.press("ArrowRight")
    assert title.inner_text() == "Stage 2, map 19 of 64"
    tab.keyboard.press("Escape")
    assert not tab.locator("#enlarged").is_visible()
    assert grid.locator("button").nth(17).evaluate("button => button === document.activeElement")
    tab.locator("[data-step='0.filter_bank'] .grid button").last.click()
    assert title.inner_text() == "Stage 1, map 32 of 32"
    assert tab.locator(".pairs figure").count() == 1
    tab.locator("[data-turn='1']").click()
    assert title.inner_text() == "Stage 1, map 1 of 32"
    tab.click("#close")
    assert not tab.locator("#enlarged").is_visible()


def test_an_enlarged_map_closes_when_the_page_under_it_changes(look):
    tab = look(FILE, "#model=abs_lcn_avgpool&beside=avgpool")
    tab.locator("[data-step='1.filter_bank'] .grid").nth(1).locator("button").first.click()
    assert tab.locator("#enlarged").is_visible()
    tab.evaluate("location.hash = '#model=abs_lcn_avgpool'")
    until(tab, "passes.length === 1")
    assert not tab.locator("#enlarged").is_visible()
    tab.keyboard.press("ArrowRight")
    tab.locator("[data-step='1.filter_bank'] .grid button").first.click()
    assert tab.locator("#enlarged-title").inner_text() == "Stage 2, map 1 of 64"


def test_everything_can_be_reached_by_keyboard(look):
    tab = look(FILE, "#model=abs_lcn_avgpool")
    reached, grids = set(), []
    while len(grids) < 8:  # one stop for each of them
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.getAttribute('aria-label')"))
        grids += filter(None, [tab.evaluate("document.activeElement.closest('.grid')?.ariaLabel")])
    assert {"a 7", "pad", "clear", "file", "invert", "model", "beside"} <= reached
    assert len(set(grids)) == 8


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("shown", ["#model=abs_lcn_batchnorm_avgpool&beside=relu_lcn_avgpool", "#set=caltech101"])
def test_no_width_scrolls_sideways_and_everything_can_be_touched(look, shown, width, scheme):
    tab = look(FILE, shown, width, scheme)
    probabilities(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    small = "[...document.querySelectorAll('button, select, #images label, .file')].filter(b => b.checkVisibility()"
    small += " && Math.min(b.offsetHeight, b.offsetWidth) < 24).length"
    assert tab.evaluate(small) == 0
    tab.locator("[data-step='1.filter_bank'] .grid button").first.click()
    assert tab.locator("#enlarged").evaluate("box => box.scrollWidth <= box.clientWidth")
    assert tab.evaluate(small) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_zero_has_the_pages_colour_and_both_signs_can_be_told_from_it(look, scheme):
    tab = look(FILE, "", 1280, scheme)
    ends = "(() => { palette ??= colours(); return [palette[0], palette[LEVELS], palette[2 * LEVELS]]; })()"
    negative, zero, positive = (colour[:3] for colour in tab.evaluate(ends))
    assert (luminance(zero) < 0.05) == (scheme == "dark")
    assert contrast(negative, zero) >= 4.5
    assert contrast(positive, zero) >= 4.5
    tab.emulate_media(color_scheme={"light": "dark", "dark": "light"}[scheme])
    probabilities(tab)
    assert tab.evaluate(ends)[1][:3] != zero
