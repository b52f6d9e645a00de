"""docs/layer.md, with torch alone: its code runs, and the two columns of its last table give the same."""

import importlib.util
import math
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from layers.cases import drawn

from multistage.layers import LocalContrastNorm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "layer.md").read_text(encoding="utf-8")
HAS_ONNX = all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime"))
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter of torch.onnx
def test_the_code_of_the_page_runs_in_order():
    names = {"__name__": "page"}
    torch.manual_seed(0)
    for number, block in enumerate(BLOCKS, 1):
        if HAS_ONNX or "onnx" not in block:
            exec(compile(block, f"docs/layer.md, block {number}", "exec"), names)
    assert len(BLOCKS) >= 9
    assert all("assert" in block for block in BLOCKS)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_every_preset_and_every_option_is_explained():
    presets = [name for name in vars(LocalContrastNorm) if isinstance(vars(LocalContrastNorm)[name], classmethod)]
    which, _, rest = PAGE.partition("## What each option means")
    for name in presets:
        assert f"`LocalContrastNorm.{name}(" in which
    options = rest.partition("## Masks")[0]
    for name in vars(LocalContrastNorm(9)):
        if not name.startswith("_") and name != "training":
            assert re.search(rf"\| .*`{name}=.* \|", options), name


def test_the_page_is_short():
    words = re.sub(
        r"```.*?```|<!-- \{\{.*?<!-- end -->|^\|.*?$|^    .*?$|!\[.*?\)", "", PAGE, flags=re.DOTALL | re.MULTILINE
    )
    assert len(words.split()) <= 1300


# The last table: what others write, in torch


def over(x, window, padding="constant"):
    """Blur of each map."""
    maps, radius = x.shape[1], len(window) // 2
    weights = (window.to(x) / window.sum()).expand(maps, 1, -1, -1)
    return F.conv2d(F.pad(x, [radius] * 4, mode=padding), weights, groups=maps)


def gaussian(size, sigma):
    along = [math.exp(-((i - size // 2) ** 2) / (2 * sigma**2)) for i in range(size)]
    return torch.tensor([[one * other for other in along] for one in along], dtype=torch.float64)


def share_of(x, window):
    """Torch7's coefficient: how much of the window lies inside."""
    return over(torch.ones_like(x), window).mean(1, keepdim=True)


def subtractive(x, window):
    return x - over(x, window).mean(1, keepdim=True) / share_of(x, window)


def divisive(x, window):
    deviation = over(x**2, window).mean(1, keepdim=True).sqrt() / share_of(x, window)
    return x / F.threshold(deviation, 1e-4, 1e-4)


def contrastive(x, window):
    return divisive(subtractive(x, window), window)


def stereo(image):
    windows = F.unfold(image, 9, padding=4)
    mean, std = windows.mean(1).view_as(image), windows.std(1, unbiased=False).view_as(image)
    return (image - mean) / (std + 1e-5), mean, std


def mscn(x, padding="constant"):
    window = gaussian(7, 7 / 6)
    mu = over(x, window, padding)
    sigma = (over(x * x, window, padding) - mu * mu).abs().sqrt()
    return (x - mu) / (sigma + 1)


def looped(x):
    maps = []
    for i in range(x.shape[1]):
        v = x[:, i : i + 1] - over(x[:, i : i + 1], USUAL)
        s = over(v * v, USUAL).sqrt()
        maps.append(v / torch.maximum(s, s.mean((-2, -1), keepdim=True)))
    return torch.cat(maps, 1)


def masked(x, mask):
    return torch.where(mask, x - over(x * mask, USUAL) / over(mask.to(x), USUAL), 0)


USUAL = gaussian(9, 9 / (4 * math.sqrt(2)))
X = 128 + 40 * drawn(2, 3, 20, 23)
IMAGE = X[:, :1]
FRACTIONS = X / 255
K = [1, 4, 6, 4, 1]
BINOMIAL = torch.outer(torch.tensor(K), torch.tensor(K)).double()
MASK = drawn(2, 1, 20, 23, seed=1) > -1

THEIRS = {
    ".torch7()(x)": lambda: contrastive(X, torch.ones(9, 9)),
    'sigma=9 / 4, border="torch7"': lambda: contrastive(X, gaussian(9, 0.25 * 9)),
    'border="torch7", divide=False': lambda: subtractive(X, BINOMIAL),
    "floor=1e-4, subtract=False": lambda: divisive(X, BINOMIAL),
    ".active_stereo(9, eps=1e-5)(image)": lambda: stereo(IMAGE),
    ".mscn()(x)": lambda: mscn(X),
    '.mscn("replicate")(x)': lambda: mscn(X, "replicate"),
    ".mscn(data_range=1)(x)": lambda: mscn(255 * FRACTIONS),
    "(across_maps=False)(x)": lambda: looped(X),
    "(across_maps=False, divide=False)(x)": lambda: X - over(X, USUAL),
    "(x, mask)": lambda: masked(X, MASK),
}
"""By what ours has that no other row has."""

TABLE = PAGE.partition("## From your lines to ours")[2].partition("| --- | --- |\n")[2].partition("\n\n")[0]
OURS = [row.rpartition(" | `")[2].partition("`")[0] for row in TABLE.splitlines()]


def test_every_row_of_the_table_is_compared():
    assert [sum(part in ours for part in THEIRS) for ours in OURS] == [1] * len(THEIRS)


@pytest.mark.parametrize("part", THEIRS)
def test_ours_gives_what_theirs_gives(part):
    (ours,) = [row for row in OURS if part in row]
    names = {
        "LocalContrastNorm": LocalContrastNorm,
        "k": K,
        "x": FRACTIONS if "data_range" in part else X,
        "image": IMAGE,
        "mask": MASK,
    }
    exec(f"found = {ours}", names)
    torch.testing.assert_close(names["found"], THEIRS[part](), rtol=1e-9, atol=1e-9)
