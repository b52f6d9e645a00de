import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from multistage.dashboards import pictures


def test_kernels_stand_in_order_on_one_scale(monkeypatch):
    monkeypatch.setattr(pictures, "PIXELS", 1)
    kernels = np.array([-2.0, 0.0, 1.0]).reshape(3, 1, 1, 1)
    line = 0
    assert pictures.mosaic(kernels).tolist() == [
        [0, line, 128, line],
        [line] * 4,
        [191, line, 0, line],
        [line] * 4,
    ]


def test_kernels_over_three_maps_are_in_colour(monkeypatch):
    monkeypatch.setattr(pictures, "PIXELS", 1)
    red, sky = [1.0, -1.0, -1.0], [-0.5, 0.0, 1.0]
    kernels = np.array([red, sky]).reshape(2, 3, 1, 1)
    black = [0, 0, 0]
    assert pictures.mosaic(kernels).tolist() == [
        [[255, 0, 0], black, [64, 128, 255], black],
        [black] * 4,
    ]
    assert pictures.tiles(kernels).reshape(2, 3).tolist() == [red, sky]


@given(st.integers(1, 70), st.sampled_from([1, 2, 4, 5]), st.integers(1, 9))
def test_every_kernel_is_in_the_picture_and_those_of_a_map_in_one_row(maps, fan_in, k):
    kernels = np.ones((maps, fan_in, k, k))
    picture = pictures.mosaic(kernels)
    assert picture.dtype == np.uint8
    assert min(picture.shape) > pictures.PIXELS / 2
    white = np.count_nonzero(picture == 255)
    factor = round((white / kernels.size) ** 0.5)
    assert white == kernels.size * factor**2
    assert picture.shape[1] // ((k + 1) * factor) % fan_in == 0


def test_kernels_that_are_zero_are_gray():
    assert set(np.unique(pictures.mosaic(np.zeros((4, 1, 3, 3))))) == {0, 128}


def test_confusions_are_parts_of_rows_and_a_class_without_images_is_white(monkeypatch):
    monkeypatch.setattr(pictures, "PIXELS", 1)
    assert pictures.heat(np.array([[3, 1], [0, 0]])).tolist() == [[64, 191], [255, 255]]
