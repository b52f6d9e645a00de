"""The explorer's page as tests look at it."""

from pathlib import Path

import numpy as np
from shipping import rounded

from audit.explorer import digits, photographs, sets
from audit.pages import artifacts
from multistage.records.files import from_file
from multistage.records.runs import WEIGHTS
from multistage.train.restore import restore

RESULTS = Path(__file__).parents[2] / "results"
FILE = RESULTS / f"{sets.NAME}.html"
RECORDS = {record["config"]["model"]: record for record in from_file(RESULTS / sets.NAME / "records.jsonl")}
MODELS = sorted(RECORDS)
NOISE = np.random.default_rng(0)


def _digits():
    """The page's digits, one of them inverted, a flat image and noise; uint8 [n, 28, 28]."""
    shown = digits.read(RESULTS / sets.DIGITS).reshape(-1, digits.SIDE, digits.SIDE)
    return np.concatenate([shown, 255 - shown[:1], np.full_like(shown[:1], 99), _noise(1, digits.SIDE, digits.SIDE)])


def _noise(*shape):
    return NOISE.integers(0, 256, shape).astype(np.uint8)


DIGITS = _digits()
PHOTOGRAPHS = photographs.read(RESULTS / sets.PHOTOGRAPHS)


def trained(model):
    """A network of the digits, with the weights of the page."""
    net = artifacts.network(RESULTS / sets.NAME, RECORDS[model])
    net.load_state_dict({name: rounded(value) for name, value in net.state_dict().items()})
    return net


def shipped():
    """The network of the photographs."""
    return restore(RESULTS / sets.MODEL / WEIGHTS, sets.shipped(RESULTS))


def probabilities(tab):
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return np.array(tab.evaluate("passes.map((pass) => pass.probabilities)"))


def choose(tab, image):
    tab.locator("#images label").nth(image).click()


def pixels(tab):
    return _picture(tab, "state.picture")


def seen(tab):
    return _picture(tab, "changed(state.picture, state)")


def _picture(tab, expression):
    probabilities(tab)
    height, width, values = tab.evaluate(f"(({{height, width, pixels}}) => [height, width, [...pixels]])({expression})")
    return np.array(values, np.uint8).reshape(height, width)


def middle(image):
    """Centre of mass (row, column), pixels from the corner."""
    centres = np.arange(digits.SIDE) + 0.5
    return (image.sum(1) @ centres / image.sum(), image.sum(0) @ centres / image.sum())
