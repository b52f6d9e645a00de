"""The explorer's forward pass in a real browser, against torch's. Run with -m browser."""

import base64

import numpy as np
import pytest
import torch
from browser.explorer import FILE, IMAGES, MODELS, RECORDS, RESULTS, choose, probabilities

from audit.explorer import assemble
from audit.pages import artifacts
from multistage.data import dataset

pytestmark = pytest.mark.browser

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
def test_every_step_of_every_image_is_what_torch_computes(look, model):
    assert len(IMAGES) >= 12
    assert difference(look(FILE), RECORDS[model], IMAGES) < TOLERANCE


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
    text = FILE.read_text(encoding="utf-8")
    assert text.count(right) == 1
    mutant = tmp_path / "mutant.html"
    mutant.write_text(text.replace(right, wrong), encoding="utf-8")
    assert difference(look(mutant, altered=True), RECORDS[model], IMAGES[-4:]) > TOLERANCE


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
def test_what_is_said_is_what_was_computed(look, digit):
    tab = look(FILE, f"#model=lcn_maxpool&digit={digit}")
    choose(tab, digit)
    expected, _ = in_torch(artifacts.network(RESULTS / assemble.NAME, RECORDS["lcn_maxpool"]), IMAGES[[digit]])
    assert probabilities(tab)[0] == pytest.approx(expected[0, -10:], abs=TOLERANCE)
    best = int(expected[0, -10:].argmax())
    assert tab.locator("#verdicts b").inner_text() == str(best)
    lines = tab.locator(".bars li")
    assert "most" in lines.nth(best).get_attribute("class")
    assert "(label)" in lines.nth(digit % 10).inner_text()
    link = tab.locator("#facts a")
    accuracy = RECORDS["lcn_maxpool"]["metrics"]["test_mean_class_accuracy"]
    assert link.inner_text() == f"{100 * accuracy:.2f} % of the test digits"
