"""The explorer in a real browser: its forward pass against torch's, and what a visitor does. Run with -m browser."""

import base64
from pathlib import Path

import numpy as np
import pytest
import torch
from browser.colour import contrast, luminance
from PIL import Image

from audit.explorer import assemble, digits
from audit.pages import artifacts
from multistage.data import dataset
from multistage.records.files import from_file

pytestmark = pytest.mark.browser

RESULTS = Path(__file__).parents[2] / "results"
FILE = RESULTS / f"{assemble.NAME}.html"
MODELS = sorted({record["config"]["model"] for record in from_file(RESULTS / "explorer" / "records.jsonl")})
TOLERANCE = 1e-4

ALL_STEPS = """([name, images]) => {
  const bytes = Uint8Array.from(atob(images), (character) => character.charCodeAt(0));
  const encoded = (values) => {
    const part = new Uint8Array(Float32Array.from(values).buffer);
    let text = "";
    for (let i = 0; i < part.length; i += 8192) text += String.fromCharCode(...part.subarray(i, i + 8192));
    return btoa(text);
  };
  const found = [];
  for (let i = 0; i < bytes.length; i += SIDE * SIDE) {
    const input = standardise(bytes.subarray(i, i + SIDE * SIDE), SIDE);
    const { steps, probabilities } = forward(network(name), input);
    found.push({ names: steps.map((step) => `${step.stage}.${step.name}`),
                 values: encoded([...input.data, ...steps.flatMap((step) => [...step.x.data]), ...probabilities]) });
  }
  return found;
}"""


@pytest.fixture(scope="module")
def records():
    return {record["config"]["model"]: record for record in from_file(RESULTS / assemble.NAME / "records.jsonl")}


@pytest.fixture(scope="module")
def images():
    """The page's digits, one of them inverted, a flat image and noise; uint8 [n, 28, 28]."""
    shown = digits.read(RESULTS / assemble.NAME / assemble.DIGITS).reshape(-1, digits.SIDE, digits.SIDE)
    noise = np.random.default_rng(0).integers(0, 256, shown[:1].shape).astype(np.uint8)
    return np.concatenate([shown, 255 - shown[:1], np.full_like(shown[:1], 99), noise])


def in_torch(net, images):
    """The input, every step and the probabilities of each image, one after the other [n, values]; names of steps."""
    x = dataset.standardise(torch.from_numpy(images)[:, None])
    found, names = [x], []
    with torch.no_grad():
        for number, stage in enumerate(net.stages):
            for name, layer in stage.named_children():
                found.append(layer(found[-1]))
                names.append(f"{number}.{name}")
        found.append(net.classifier(found[-1].flatten(1)).softmax(1))
        assert torch.equal(found[-1], net(x).softmax(1))
    return torch.cat([step.flatten(1) for step in found], 1).numpy(), names


def difference(tab, record, images):
    """The largest between torch's and the page's values, over all images and steps."""
    expected, names = in_torch(artifacts.network(RESULTS / assemble.NAME, record), images)
    sent = [record["config"]["model"], base64.b64encode(images.tobytes()).decode()]
    found = tab.evaluate(ALL_STEPS, sent)
    assert all(image["names"] == names for image in found)
    computed = np.stack([np.frombuffer(base64.b64decode(image["values"]), "<f4") for image in found])
    assert computed.shape == expected.shape
    return np.nan_to_num(np.abs(computed - expected), nan=np.inf).max()


@pytest.mark.parametrize("model", MODELS)
def test_every_step_of_every_image_is_what_torch_computes(look, records, images, model):
    assert len(images) >= 12
    assert difference(look(FILE), records[model], images) < TOLERANCE


@pytest.mark.parametrize(
    ("model", "right", "wrong"),
    [
        ("avgpool", "kernels[first + taps - 1 - tap]", "kernels[first + tap]"),
        ("avgpool", "gain[j] * Math.tanh", "Math.tanh"),
        ("avgpool", "result + value / n ** 2", "result + value / (n ** 2 - 1)"),
        ("avgpool", "Math.sqrt(variance) || 1", "Math.sqrt(variance)"),
        ("maxpool", "Math.max(result, value)", "value"),
        ("relu_avgpool", "relu: (value) => Math.max(value, 0)", "relu: Math.abs"),
        ("abs_avgpool", "abs: Math.abs", "abs: (value) => Math.max(value, 0)"),
        ("abs_lcn_avgpool", "4 * Math.SQRT2", "4 * Math.SQRT1_2"),
        ("abs_lcn_avgpool", "Math.max(floor, sigma)", "sigma"),
        ("abs_lcn_avgpool", "floored > rounding ? floored : 1", "floored"),
        ("abs_lcn_avgpool", "return blur(mean, x.height, x.width, window)", "return mean"),
        ("batchnorm_avgpool", "* scale[map]", "* 1"),
        ("batchnorm_avgpool", "+ shift[map]", "+ 0"),
    ],
)
def test_a_mistake_in_a_layer_is_seen(look, records, images, tmp_path, model, right, wrong):
    text = FILE.read_text(encoding="utf-8")
    assert text.count(right) == 1
    mutant = tmp_path / "mutant.html"
    mutant.write_text(text.replace(right, wrong), encoding="utf-8")
    assert difference(look(mutant), records[model], images[-4:]) > TOLERANCE


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"name": "rectify", "kind": "gelu"}, "the page has no rectification gelu; expected one of abs, relu"),
        ({"name": "pool", "kind": "l2"}, "the page has no pooling l2; expected one of average, max"),
        ({"name": "group_norm"}, "the page has no layer group_norm; expected one of filter_bank, rectify,"),
        ({"name": "toString"}, "the page has no layer toString"),
    ],
)
def test_what_the_page_does_not_have_is_refused_by_name(look, part, message):
    run = """part => {
      try { return forward({ stages: [[part]] }, empty(1, 2, 2)); } catch (error) { return error.message; }
    }"""
    assert look(FILE).evaluate(run, part).startswith(message)


def probabilities(tab):
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return np.array(tab.evaluate("passes.map((pass) => pass.probabilities)"))


def choose(tab, digit):
    tab.locator("#digits label").nth(digit).click()


def pixels(tab):
    probabilities(tab)
    return np.array(tab.evaluate("[...state.pixels]"), np.uint8).reshape(digits.SIDE, digits.SIDE)


def seen(tab):
    probabilities(tab)
    return np.array(tab.evaluate("[...changed(state.pixels, state)]"), np.uint8).reshape(digits.SIDE, digits.SIDE)


def middle(image):
    """Centre of mass (row, column), pixels from the corner."""
    centres = np.arange(digits.SIDE) + 0.5
    return (image.sum(1) @ centres / image.sum(), image.sum(0) @ centres / image.sum())


@pytest.mark.parametrize("digit", [0, 13])
def test_what_is_said_is_what_was_computed(look, records, images, digit):
    tab = look(FILE, f"#model=lcn_maxpool&digit={digit}")
    choose(tab, digit)
    expected, _ = in_torch(artifacts.network(RESULTS / assemble.NAME, records["lcn_maxpool"]), images[[digit]])
    assert probabilities(tab)[0] == pytest.approx(expected[0, -10:], abs=TOLERANCE)
    best = int(expected[0, -10:].argmax())
    assert tab.locator("#verdicts b").inner_text() == str(best)
    lines = tab.locator(".bars li")
    assert "most" in lines.nth(best).get_attribute("class")
    assert "(label)" in lines.nth(digit % 10).inner_text()
    link = tab.locator("#facts a")
    accuracy = records["lcn_maxpool"]["metrics"]["test_mean_class_accuracy"]
    assert link.inner_text() == f"{100 * accuracy:.2f} % of the test digits"


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
    assert again.locator("#digits input").nth(3).is_checked()
    tab.select_option("#beside", "")
    assert probabilities(tab).shape == (1, 10)
    assert tab.locator("[data-step='0.contrast_norm'] .side").count() == 1


@pytest.mark.parametrize("fragment", ["#digit=99&model=nothing", "#digit=-1", "#digit=x&beside=%3Cb%3E", "#"])
def test_an_address_that_names_nothing_shows_the_first_digit(look, fragment):
    tab = look(FILE, fragment)
    assert tab.evaluate("state.digit") == assemble.FIRST
    assert probabilities(tab).shape == (1, 10)


def test_inverting_changes_nothing_where_the_absolute_value_is_taken(look, records):
    tab = look(FILE)
    for model, record in records.items():
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
def test_an_image_can_be_moved(look, images, move, shift):
    tab = look(FILE, "#digit=2")
    for _ in range(3):
        tab.click(f"[data-move={move}]")
    around = np.pad(images[2], 3)
    top, left = (3 - 3 * by for by in shift)
    assert np.array_equal(seen(tab), around[top : top + digits.SIDE, left : left + digits.SIDE])
    for _ in range(30):
        tab.click(f"[data-move={move}]")
    assert not seen(tab).any()


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
        assert tab.locator("#digits input:checked").count() == 0
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


def test_centring_leaves_mnists_own_digits_where_they_are(look, images):
    """Those whose box has 20 pixels need no scaling: their centring is MNIST's own, or nothing would be equal."""
    tab = look(FILE)
    whole = 0
    for image in images[:20]:
        rows, columns = image.any(1).nonzero()[0], image.any(0).nonzero()[0]
        if max(np.ptp(rows), np.ptp(columns)) + 1 == 20:
            found = tab.evaluate(
                "values => [...centred({data: values, width: SIDE, height: SIDE})]", image.ravel().tolist()
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


def test_image_files_become_gray_and_light_on_dark(look, images, tmp_path):
    tab = look(FILE)
    Image.fromarray(images[4]).save(tmp_path / "small.png")
    tab.set_input_files("#file", tmp_path / "small.png")
    until(tab, "state.digit === null")
    assert np.array_equal(pixels(tab), images[4])
    photo = np.full((300, 200, 3), (250, 240, 230), np.uint8)
    photo[50:250, 80:120] = (20, 40, 60)
    Image.fromarray(photo).save(tmp_path / "photo.jpg", quality=95)
    choose(tab, 0)
    tab.set_input_files("#file", tmp_path / "photo.jpg")
    until(tab, "state.digit === null")
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
@pytest.mark.parametrize("width", [360, 1280])
def test_no_width_scrolls_sideways_and_everything_can_be_touched(look, width, scheme):
    tab = look(FILE, "#model=abs_lcn_batchnorm_avgpool&beside=relu_lcn_avgpool", width, scheme)
    probabilities(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    small = "[...document.querySelectorAll('button, select, #digits label, .file')].filter(b => b.checkVisibility()"
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
