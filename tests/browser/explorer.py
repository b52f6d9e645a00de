"""The explorer's page as tests look at it."""

from pathlib import Path

import numpy as np

from audit.explorer import assemble, digits
from multistage.records.files import from_file

RESULTS = Path(__file__).parents[2] / "results"
FILE = RESULTS / f"{assemble.NAME}.html"
RECORDS = {record["config"]["model"]: record for record in from_file(RESULTS / assemble.NAME / "records.jsonl")}
MODELS = sorted(RECORDS)


def images():
    """The page's digits, one of them inverted, a flat image and noise; uint8 [n, 28, 28]."""
    shown = digits.read(RESULTS / assemble.NAME / assemble.DIGITS).reshape(-1, digits.SIDE, digits.SIDE)
    noise = np.random.default_rng(0).integers(0, 256, shown[:1].shape).astype(np.uint8)
    return np.concatenate([shown, 255 - shown[:1], np.full_like(shown[:1], 99), noise])


IMAGES = images()


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
