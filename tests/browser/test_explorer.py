"""The explorer's forward pass in a real browser, against torch's. Run with -m browser."""

import base64

import numpy as np
import pytest
import torch
from browser.explorer import (
    DIGITS,
    FILE,
    MODELS,
    PHOTOGRAPHS,
    RECORDS,
    RESULTS,
    choose,
    probabilities,
    shipped,
    trained,
)

from audit.explorer import sets
from multistage.data import dataset
from multistage.data.preprocessing import preprocess
from multistage.records.schema import SHIPPED

pytestmark = pytest.mark.browser

TOLERANCE = 1e-4

ALL_STEPS = """([set, name, width, height, image]) => {
  const encoded = (values) => {
    const part = new Uint8Array(Float32Array.from(values).buffer);
    let text = "";
    for (let i = 0; i < part.length; i += 8192) text += String.fromCharCode(...part.subarray(i, i + 8192));
    return btoa(text);
  };
  const input = PREPARATIONS[set]({ pixels: bytesOf(image), width, height });
  const { steps, probabilities } = forward(network(name), input);
  return { names: steps.map((step) => `${step.stage}.${step.name}`),
           values: [input.data, ...steps.map((step) => step.x.data), probabilities].map(encoded) };
}"""

PREPARE = {"mnist": lambda image: dataset.standardise(torch.from_numpy(image)[None])[0], "caltech101": preprocess}


def in_torch(net, x):
    """The input [1, maps, height, width], every step and the probabilities; names of steps."""
    found, names = [x], []
    with torch.no_grad():
        for number, stage in enumerate(net.stages):
            for name, layer in stage.named_children():
                found.append(layer(found[-1]))
                names.append(f"{number}.{name}")
        found.append(net.classifier(found[-1].flatten(1)).softmax(1))
        assert torch.equal(found[-1], net(x).softmax(1))
    return [step.flatten().numpy() for step in found], names


def difference(tab, data, model, images):
    """The largest between torch's and the page's values, over all images and steps."""
    net, largest = shipped() if data == "caltech101" else trained(model), 0.0
    for image in images:
        x = PREPARE[data](image if data == "caltech101" else image[None])
        expected, names = in_torch(net, x.reshape(1, 1, *x.shape[-2:]))
        sent = [data, model, *image.shape[::-1], base64.b64encode(image.tobytes()).decode()]
        found = tab.evaluate(ALL_STEPS, sent)
        assert found["names"] == names
        for step, values in zip(found["values"], expected, strict=True):
            computed = np.frombuffer(base64.b64decode(step), "<f4")
            assert computed.shape == values.shape
            largest = max(largest, np.nan_to_num(np.abs(computed - values), nan=np.inf).max())
    return largest


@pytest.mark.parametrize("model", MODELS)
def test_every_step_of_every_digit_is_what_torch_computes(look, model):
    assert len(DIGITS) >= 12
    assert difference(look(FILE), "mnist", model, DIGITS) < TOLERANCE


NOISE = np.random.default_rng(1).integers(0, 256, (151, 151), np.uint8)
ODD = [NOISE[:98], NOISE[:, :67], np.full((151, 120), 99, np.uint8), 255 - NOISE]
"""Wide, tall, flat, inverted."""


def test_every_step_of_every_photograph_is_what_torch_computes(look):
    tab = look(FILE, "#set=caltech101")
    images = [np.ascontiguousarray(image) for image in (*PHOTOGRAPHS.values(), *ODD)]
    assert len({image.shape for image in images}) >= 5
    assert difference(tab, "caltech101", "abs_lcn_avgpool", images) < TOLERANCE


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("standardised(picture, 1)", "standardised(picture, 0)"),
        ("Math.max(squares[i] - mean[i] ** 2, 0)", "Math.max(squares[i], 0)"),
        ("Math.max(sigma, 1)", "(sigma || 1)"),
        ("(top + row - MARGIN) * side", "(row - MARGIN) * side"),
        ("exponent - 15", "exponent - 14"),
        ("fraction * 2 ** -14", "0"),
    ],
)
def test_a_mistake_in_the_preparation_or_in_half_precision_is_seen(look, tmp_path, right, wrong):
    tab = look(mutant(tmp_path, right, wrong), "#set=caltech101", altered=True)
    assert difference(tab, "caltech101", "abs_lcn_avgpool", [PHOTOGRAPHS["emu"]]) > TOLERANCE


def mutant(folder, right, wrong):
    text = FILE.read_text(encoding="utf-8")
    assert text.count(right) == 1
    file = folder / "mutant.html"
    file.write_text(text.replace(right, wrong), encoding="utf-8")
    return file


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
def test_a_mistake_in_a_layer_is_seen(look, tmp_path, model, right, wrong):
    tab = look(mutant(tmp_path, right, wrong), altered=True)
    assert difference(tab, "mnist", model, DIGITS[-4:]) > TOLERANCE


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


@pytest.mark.parametrize("digit", [0, 13])
def test_what_is_said_of_a_digit_is_what_was_computed(look, digit):
    tab = look(FILE, f"#model=lcn_maxpool&image={digit}")
    choose(tab, digit)
    expected = in_torch(trained("lcn_maxpool"), PREPARE["mnist"](DIGITS[digit][None])[None])[0][-1]
    assert probabilities(tab)[0] == pytest.approx(expected, abs=TOLERANCE)
    best = int(expected.argmax())
    assert tab.locator("#verdicts b").inner_text() == str(best)
    lines = tab.locator(".bars li")
    assert "most" in lines.nth(best).get_attribute("class")
    assert "(label)" in lines.nth(digit % 10).inner_text()
    link = tab.locator("#facts a")
    accuracy = RECORDS["lcn_maxpool"]["metrics"]["test_mean_class_accuracy"]
    assert link.inner_text() == f"{100 * accuracy:.2f} % of the test digits"


@pytest.mark.parametrize("label", ["emu", "pyramid"])
def test_what_is_said_of_a_photograph_is_what_was_computed(look, label):
    tab = look(FILE, f"#set=caltech101&image={list(PHOTOGRAPHS).index(label)}")
    net = shipped()
    expected = in_torch(net, preprocess(PHOTOGRAPHS[label])[None])[0][-1]
    assert probabilities(tab)[0] == pytest.approx(expected, abs=TOLERANCE)
    most = [net.class_names[c].replace("_", " ") for c in expected.argsort()[::-1][:10]]
    lines = tab.locator(".bars li b").all_inner_texts()
    assert lines == most + [label] * (label not in most)
    assert tab.locator("#verdicts b").inner_text() == most[0]
    assert tab.locator(".bars li", has_text=label).first.inner_text().endswith("(label)")
    accuracy = sets.shipped(RESULTS)[SHIPPED]["metrics"]["test_mean_class_accuracy"]
    assert tab.locator("#facts a").inner_text() == f"{100 * accuracy:.2f} % of the test photographs"
