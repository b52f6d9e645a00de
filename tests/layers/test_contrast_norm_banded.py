"""Blurs of large images, of which only the band of each matrix is multiplied."""

import itertools

import pytest
import torch
from layers.cases import drawn
from layers.mutation import mutants

from multistage.layers import contrast_norm_definition as plain
from multistage.layers import local_contrast_norm
from multistage.layers.fast import banded

WINDOWS = {
    "one": torch.ones(1),
    "9": plain.gaussian_window(9),
    "51": plain.gaussian_window(51),
    "one side": torch.tensor([0.0, 0, 0, 0.5, 0, 0.25, 0.25]),
    "other side": torch.tensor([0.5, 0.5, 0, 0, 0, 0, 0]),
    "as wide as the image": plain.gaussian_window(601),
}


ONE_PRODUCT = {  # where a band would do, or the other way round: the same values
    "_bands: size <= whole or matrix.device.type != 'cpu' -> size <= whole",
    "_bands: size <= whole or matrix.device.type != 'cpu' -> matrix.device.type != 'cpu'",
    "_bands: size <= whole -> size > whole",
    "_bands: matrix.device.type != 'cpu' -> matrix.device.type == 'cpu'",
    "_bands: 2 * reach + BLOCK > size // 2 -> 2 * reach + BLOCK <= size // 2",
    "_bands: 2 * reach + BLOCK -> 2 * reach",
    "_bands: 2 * reach + BLOCK -> BLOCK",
    "_bands: size // 2 -> size",
    "_bands: size // 2 -> 2",
    "_bands: 2 * reach -> 2",
    "_bands: 2 * reach -> reach",
    "_bands: matrix[0] != 0 -> matrix[0] == 0",
    "_bands: matrix[:, 0] != 0 -> matrix[:, 0] == 0",
    "_bands: int(reached.max()) -> reached.max()",
}
MUTANTS = [(text, each, wrong) for each in (banded.blur, banded._bands) for text, wrong in mutants(each)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "function", "wrong"), MUTANTS, ids=[text for text, *_ in MUTANTS])
def test_a_mutant_is_detected(text, function, wrong, monkeypatch):
    monkeypatch.setattr(banded, function.__name__, wrong)
    if text in ONE_PRODUCT:
        check_values()
    else:
        with pytest.raises((AssertionError, LookupError, RuntimeError, TypeError, ValueError)):
            check_values()


def check_values():
    for name, sides in itertools.product(WINDOWS, ((301, 260), (40, 300), (300, 40))):
        rows, columns = (plain.blur_matrix(side, WINDOWS[name].double()) for side in sides)
        x = drawn(1, 1, *sides)
        torch.testing.assert_close(banded.blur(x, rows, columns), rows @ x @ columns.T)


def test_what_is_one_product_or_a_band_is_still_there():
    assert {text for text, *_ in MUTANTS} >= ONE_PRODUCT


@pytest.mark.parametrize("border", plain.BORDERS)
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_a_band_gives_what_the_whole_matrix_gives(window, border):
    sides = 301, 260
    rows, columns = (plain.blur_matrix(side, window.double(), border) for side in sides)
    x = drawn(2, 1, *sides)
    for down, across in ((rows, columns), (rows.T, columns.T)):
        torch.testing.assert_close(banded.blur(x, down, across), down @ x @ across.T, rtol=1e-12, atol=1e-12)


def test_sides_as_in_the_paper_are_one_product_as_ever():
    rows, columns = (plain.blur_matrix(side, plain.gaussian_window(9)) for side in (143, 256))
    x = drawn(2, 1, 143, 256)
    assert torch.equal(banded.blur(x, rows, columns), rows @ x @ columns.T)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": "box", "deviation_of": "window", "floor_mode": "add", "floor": 0.1},
        {"border": "reflect"},
        {"mask": torch.rand(1, 1, 270, 300, generator=torch.Generator().manual_seed(0)) > 0.3},
    ],
    ids=str,
)
def test_large_images_are_normalised_as_by_the_definition(options):
    x = drawn(1, 2, 270, 300).requires_grad_()
    dy = drawn(1, 2, 270, 300, seed=1)
    found, expected = local_contrast_norm(x, **options), plain.definition(x, **options)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad(y, x, dy)[0] for y in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)
