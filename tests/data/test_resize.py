import math

import numpy as np
import pytest

from multistage.data import images, resizing
from multistage.data.images import read_image, to_colour, to_gray
from multistage.data.resizing import resize, resize_longer_side


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("colour", "gray"), [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29), ((255, 255, 255), 255)]
)
def test_gray_has_the_weights_of_matlab(colour, gray):
    assert to_gray(np.array([[colour]], np.uint8)).tolist() == [[gray]]


def test_gray_levels_are_themselves_in_gray_and_in_colour():
    levels = np.arange(256, dtype=np.uint8)[None]
    assert np.array_equal(to_gray(levels), levels)
    assert np.array_equal(to_gray(to_colour(levels)), levels)
    assert to_colour(levels).shape == (1, 256, 3)
    assert np.array_equal(to_colour(to_colour(levels)), to_colour(levels))


def slow_imresize_axis(row, new_size, scale):
    """MATLAB's contributions(), for one row, counted from 1 as there."""

    def cubic(x):
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    size, width = len(row), 4 / min(scale, 1)
    result = []
    for x in range(1, new_size + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - width / 2)
        total = weighted = 0.0
        for k in range(left, left + math.ceil(width) + 2):
            weight = min(scale, 1) * cubic(min(scale, 1) * (u - k))
            mirror = (k - 1) % (2 * size)
            total += weight
            weighted += weight * row[mirror if mirror < size else 2 * size - 1 - mirror]
        result.append(weighted / total)
    return result


def slow_imresize(image, height, width, row_scale, column_scale):
    columns = np.array([slow_imresize_axis(column, height, row_scale) for column in image.astype(float).T]).T
    both = np.array([slow_imresize_axis(row, width, column_scale) for row in columns])
    return np.clip(both, 0, 255)


SIZES = [
    ((7, 9), (7, 9)),
    ((7, 9), (14, 18)),
    ((7, 9), (3, 4)),
    ((20, 13), (6, 17)),
    ((1, 5), (4, 2)),
    ((2, 2), (9, 1)),
]
LONGER_SIDES = [((7, 9), (4, 5)), ((9, 7), (20, 16)), ((3, 50), (1, 11))]


@pytest.mark.parametrize(("shape", "new_shape"), SIZES, ids=str)
def test_resize_is_imresize(random, shape, new_shape):
    image = random.integers(0, 256, shape, dtype=np.uint8)
    expected = slow_imresize(image, *new_shape, new_shape[0] / shape[0], new_shape[1] / shape[1])
    assert np.abs(resize(image, *new_shape) - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(("shape", "new_shape"), LONGER_SIDES, ids=str)
def test_resize_longer_side_scales_both_axes_alike(random, shape, new_shape):
    image = random.integers(0, 256, shape, dtype=np.uint8)
    scale = max(new_shape) / max(shape)
    resized = resize_longer_side(image, max(new_shape))
    assert resized.shape == new_shape
    assert np.abs(resized - slow_imresize(image, *new_shape, scale, scale)).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (151, 90), (30, 31, 3)], ids=str)
def test_the_same_size_is_the_same_image(random, shape):
    image = random.integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(resize(image, *shape[:2]), image)
    assert np.array_equal(resize_longer_side(image, max(shape[:2])), image)


def test_colours_are_resized_one_by_one(random):
    image = random.integers(0, 256, (8, 11, 3), dtype=np.uint8)
    planes = [resize(image[:, :, channel], 5, 17) for channel in range(3)]
    assert np.array_equal(resize(image, 5, 17), np.stack(planes, -1))


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_a_flat_image_stays_flat(level):
    assert (resize(np.full((31, 17), level, np.uint8), 12, 40) == level).all()


def test_overshoot_is_clipped_rather_than_wrapped():
    edge = np.zeros((4, 20), np.uint8)
    edge[:, 10:] = 255
    resized = resize(edge, 4, 60)
    assert (np.diff(resized.astype(int), axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("shape", "new_shape"),
    [
        *(((200, 300), (101, 151)), ((302, 100), (151, 50)), ((101, 302), (51, 151)), ((151, 127), (151, 127))),
        *(((10, 10), (151, 151)), ((3000, 1), (151, 1)), ((1, 3000), (1, 151)), ((1, 1), (151, 151))),
    ],
    ids=str,
)
def test_the_longer_side_is_exact_and_the_other_rounded_up(shape, new_shape):
    assert resize_longer_side(np.zeros(shape, np.uint8), 151).shape == new_shape


@pytest.mark.parametrize(("size", "longer_sides"), [(151, (75, 151, 300, 453, 600)), (100, (22, 78)), (150, (18, 66))])
def test_every_size_is_the_next_whole_number(monkeypatch, size, longer_sides):
    monkeypatch.setattr(resizing, "resize", lambda image, height, width, scale: np.empty((height, width)))
    for longer in longer_sides:
        for side in range(1, longer + 1):
            height, width = resize_longer_side(np.empty((side, longer)), size).shape
            assert width == size
            assert height == -(-side * size // longer)


def test_resizing_real_images_agrees_with_the_authors(golden, real_data):
    demo = golden("authors_rr_demo.npz")
    for index, name in enumerate(demo["names"]):
        ours = resize_longer_side(to_gray(read_image(real_data / "caltech101/101_ObjectCategories" / str(name))), 151)
        theirs = demo[f"resized_{index}"]
        assert ours.shape == theirs.shape
        difference = np.abs(ours.astype(int) - theirs)
        assert difference.max() <= 2
        assert difference.mean() < 0.5


def averaged_at_once(image, blocks):
    for axis, block in enumerate(blocks):
        starts = np.arange(0, image.shape[axis], block)
        counts = np.diff(starts, append=image.shape[axis])
        shape = [-1 if a == axis else 1 for a in range(image.ndim)]
        means = np.add.reduceat(image, starts, axis, dtype=np.float64) / counts.reshape(shape)
        image = np.rint(means).astype(np.uint8) if image.dtype == np.uint8 else means
    return image


def resized_at_once(image, size):
    """`resize_longer_side` of whole arrays in float64, as long as they fit in memory."""
    shape = image.shape[:2]
    scale = size / max(shape)
    blocks = [-(-side // resizing.SHRUNK_FROM) for side in shape]
    image = averaged_at_once(image, blocks)
    rows, columns = (
        resizing._bicubic_matrix(image.shape[axis], math.ceil(shape[axis] * scale - 1e-9), scale * blocks[axis])
        for axis in (0, 1)
    )
    resized = np.moveaxis(rows @ np.moveaxis(np.atleast_3d(image), 2, 0) @ columns.T, 0, 2)
    resized = resized.reshape(*resized.shape[:2], *image.shape[2:])
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8) if image.dtype == np.uint8 else resized


@pytest.mark.parametrize("tile", [1000, resizing.TILE])
@pytest.mark.parametrize("shape", [(1, 500), (37, 53), (203, 301), (5000, 9), (9, 5000), (40, 9001)], ids=str)
def test_tiles_and_maps_change_no_bit(random, monkeypatch, shape, tile):
    monkeypatch.setattr(resizing, "TILE", tile)
    colour = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    gray = np.rint(colour @ images.GRAY_WEIGHTS).astype(np.uint8)
    assert np.array_equal(to_gray(colour), gray)
    for image in (colour, gray, gray * 257.0):
        thrice = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
        for ours, whole in ((image, image), (to_colour(image), thrice)):
            resized, expected = resize_longer_side(ours, 151), resized_at_once(whole, 151)
            assert np.array_equal(resized, expected)
            assert resized.strides == expected.strides  # by which means and deviations are summed in one order


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_is_laid_in_tiles_alike(random, monkeypatch, channels):
    image = random.integers(0, 256, (31, 47, channels), dtype=np.uint8)
    at_once = [images._on_ground(image, ground) for ground in ("contrast", "white", "black")]
    monkeypatch.setattr(resizing, "TILE", 100)
    for whole, ground in zip(at_once, ("contrast", "white", "black"), strict=True):
        assert np.array_equal(images._on_ground(image, ground), whole)
